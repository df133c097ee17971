import { resolve } from "node:path";

import { InvalidArgumentError } from "commander";

import { refused } from "../../lib/domain/error.ts";
import type { UpgradePlan } from "../../lib/upkeep/upgrade/plan.ts";
import type { Command } from "../../cli/command.ts";
import type { CommandContext } from "../../cli/context.ts";
import type {
  UpgradeReport,
  UpgradeRequest,
  Upgrading,
} from "../../lib/upkeep/upgrade/upgrading.ts";
import type { Advice } from "../../lib/domain/remedy.ts";
import { advice, remedy } from "../../lib/domain/remedy.ts";

export const command: Command<UpgradeRequest, UpgradePlan> = {
  state: "optional",
  staysCaller: true,
  changes: true,
  endsItself: true,
  // What it says then depends on how far it has come.
  whenInterrupted: "the program that runs is put back",
  // It switches maintenance on itself, and an interrupted upgrade has left it on.
  inMaintenance: true,
  define: (command) =>
    command
      .option(
        "--to <what>",
        "tag, branch, commit or tarball of the sources (default: what the checkout's branch follows, else the newest tag)",
      )
      .option("--wait <minutes>", "how long to wait for what runs", minutes, 60)
      .option("--rollback", "go back to the program before (default: no)")
      .option(
        "--force",
        "with --rollback, also when that loses what happened since (default: no)",
      ),
  examples: ["upgrade", "upgrade --to v1.2 --wait 240", "upgrade --rollback"],
  check({ to, rollback, force }) {
    if (rollback === true && to !== undefined)
      throw refused("--to and --rollback exclude each other");
    if (force === true && rollback !== true)
      throw refused("--force is for --rollback");
  },
  async plan(context, request) {
    const { planUpgrade } = await import("../../lib/upkeep/upgrade/plan.ts");
    return planUpgrade(await upgradingOf(context), request, false);
  },
  async run(context, request) {
    const { upgrade } = await import("../../lib/upkeep/upgrade/upgrade.ts");
    const upgrading = await upgradingOf(context);
    // The state's owner must be able to read the program's files.
    process.umask(0o022);
    const report = await upgrade(upgrading, request);
    return { text: inWords(report), value: report };
  },
};

async function upgradingOf(context: CommandContext): Promise<Upgrading> {
  const { locateProgram } = await import("../../lib/upkeep/upgrade/place.ts");
  const { programRoot } = await import("../../lib/host/paths.ts");
  const { config } = context.options;
  return {
    ...context,
    place: locateProgram(process.argv[1] ?? "", programRoot),
    configFile: config === undefined ? null : resolve(config),
  };
}

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
