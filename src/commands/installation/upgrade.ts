import { resolve } from "node:path";

import { InvalidArgumentError } from "commander";

import { refused } from "../../lib/domain/error.ts";
import type { UpgradeReport } from "../../lib/upkeep/upgrade/upgrading.ts";
import type { CommandModule } from "../../cli/command.ts";
import type { Advice } from "../../lib/domain/remedy.ts";
import { advice, remedy } from "../../lib/domain/remedy.ts";

interface Options {
  to?: string;
  wait: number;
  rollback?: boolean;
  force?: boolean;
}

export const command: CommandModule = {
  define(command, makeContext) {
    command
      .option(
        "--to <what>",
        "tag, branch, commit or tarball of the sources (default: what the checkout's branch follows, else the newest tag)",
      )
      .option(
        "--wait <minutes>",
        "how long to wait for what runs (default: 60)",
        minutes,
        60,
      )
      .option("--rollback", "go back to the program before (default: no)")
      .option(
        "--force",
        "with --rollback, also when that loses what happened since (default: no)",
      )
      .addHelpText(
        "after",
        `
Examples:
  ubuntu-ci upgrade
  ubuntu-ci upgrade --to v1.2 --wait 240
  ubuntu-ci upgrade --rollback`,
      )
      .action(async (options: Options) => {
        const context = await makeContext();
        const rollback = options.rollback === true;
        if (rollback && options.to !== undefined)
          throw refused("--to and --rollback exclude each other");
        if (options.force === true && !rollback)
          throw refused("--force is for --rollback");
        const { planUpgrade } =
          await import("../../lib/upkeep/upgrade/plan.ts");
        const { upgrade } = await import("../../lib/upkeep/upgrade/upgrade.ts");
        const { locateProgram } =
          await import("../../lib/upkeep/upgrade/place.ts");
        const { programRoot } = await import("../../lib/host/paths.ts");
        const { config, dryRun } = context.options;
        const work = {
          place: locateProgram(process.argv[1] ?? "", programRoot),
          paths: context.paths,
          configFile: config === undefined ? null : resolve(config),
          actor: context.actor,
          signal: context.signal,
          say: context.say,
          warn: context.warn,
        };
        const request = {
          rollback,
          force: options.force === true,
          waitMinutes: options.wait,
          ...(options.to !== undefined && { to: options.to }),
        };
        if (dryRun === true) {
          const plan = await planUpgrade(work, request);
          context.result(plan.join("\n"), { plan });
          return;
        }
        // Whoever owns the state has to read the program's files.
        process.umask(0o022);
        const report = await upgrade(work, request);
        context.result(context.text(inWords(report)), report);
      });
  },
};

function inWords({ action, from, to, schema, backup }: UpgradeReport): Advice {
  if (action === "nothing to do") return `${from} is the newest: nothing to do`;
  const migrated =
    schema === null || schema.from === schema.to
      ? ""
      : `; the state's schema went from ${schema.from} to ${schema.to}`;
  const lines = [
    action === "finished"
      ? `${to} runs: finished what was interrupted${migrated}`
      : `${action} from ${from} to ${to}${migrated}`,
    ...(backup === null ? [] : [`the state from before is ${backup}`]),
  ];
  return advice`${lines.join("\n")}\n${remedy("upgrade", [], { rollback: true })} goes back`;
}

function minutes(text: string): number {
  if (!/^[0-9]{1,5}$/.test(text))
    throw new InvalidArgumentError("It must be a number of minutes.");
  return Number(text);
}
