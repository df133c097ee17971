import { existsSync } from "node:fs";

import { messageOf, refused } from "../../lib/domain/error.ts";
import { heldBackInWords, readHeldBack } from "../../lib/locks/held-back.ts";
import {
  endMaintenance,
  forgottenMaintenance,
  maintenanceInWords,
  readMaintenance,
  startMaintenance,
} from "../../lib/locks/maintenance.ts";
import { reasonArgument, seconds } from "../../cli/arguments.ts";
import type { CommandModule } from "../../cli/command.ts";
import { showPlan } from "../../cli/plan-text.ts";
import { recordBegin, recordEnd } from "../../cli/maintenance-guard.ts";
import { advice, remedy } from "../../lib/domain/remedy.ts";

export const command: CommandModule = {
  define(command, makeContext) {
    command.addHelpText(
      "afterAll",
      '\nExamples:\n  ubuntu-ci maintenance on --reason "new disk"\n  ubuntu-ci maintenance wait --timeout 3600\n  ubuntu-ci maintenance off',
    );
    command
      .command("status", { isDefault: true })
      .description("whether it is on, since when, by whom, why")
      .action(async () => {
        const context = await makeContext();
        const maintenance = readMaintenance(context.paths.maintenance);
        const held =
          maintenance === null ? null : readHeldBack(context.paths.run);
        const lines =
          maintenance === null ? ["off"] : [maintenanceInWords(maintenance)];
        if (held !== null && Object.keys(held.commands).length > 0)
          lines.push(`held back: ${heldBackInWords(held)}`);
        const warning = forgottenMaintenance(
          maintenance,
          context.config.get("maintenance.warnAfterMinutes"),
        );
        context.result(lines.join("\n"), {
          maintenance,
          held_back: held?.commands ?? {},
          warning: warning === null ? null : context.text(warning),
        });
        if (warning !== null) context.warn(warning);
      });
    command
      .command("on")
      .description("hold every changing command back; what runs goes on")
      .option(
        "--reason <text>",
        "why, for all to read (default: none)",
        reasonArgument,
      )
      .action(async (options: { reason?: string }) => {
        const {
          options: given,
          paths,
          actor,
          ...context
        } = await makeContext();
        if (given.dryRun === true) {
          showPlan(context, {
            command: "maintenance",
            actions: [`write ${paths.maintenance}`],
          });
          return;
        }
        if (!existsSync(paths.root))
          throw refused(
            `there is no state folder ${paths.root}`,
            advice`${remedy("init")} makes it`,
          );
        startMaintenance(paths.maintenance, actor, options.reason ?? null);
        const maintenance = readMaintenance(paths.maintenance);
        // It is on, whatever comes of telling so: perhaps the state is what needs the maintenance.
        try {
          if (maintenance !== null)
            await recordBegin(paths, actor, maintenance);
        } catch (thrown) {
          context.warn(`this was not recorded: ${messageOf(thrown)}`);
        }
        context.result("", { maintenance });
      });
    command
      .command("off")
      .description("let changing commands start again")
      .action(async () => {
        const {
          options: given,
          paths,
          actor,
          ...context
        } = await makeContext();
        if (given.dryRun === true) {
          showPlan(context, {
            command: "maintenance",
            actions: [`remove ${paths.maintenance}`],
          });
          return;
        }
        endMaintenance(paths.maintenance);
        try {
          await recordEnd(paths, actor);
        } catch (thrown) {
          context.warn(`this was not recorded: ${messageOf(thrown)}`);
        }
        context.result("", { maintenance: null });
      });
    command
      .command("wait")
      .description("return when nothing is running any more")
      .option(
        "--timeout <seconds>",
        "give up after that long, with exit code 75 (default: wait as long as it takes)",
        seconds,
      )
      .action(async (options: { timeout?: number }) => {
        const context = await makeContext();
        const { waitUntilIdle } =
          await import("../../lib/locks/wait-until-idle.ts");
        await waitUntilIdle(context.paths.run, {
          signal: context.signal,
          waiting: (who) => context.say(`waiting for ${who}`),
          ...(options.timeout !== undefined && {
            limitMs: options.timeout * 1000,
          }),
        });
        context.result("", { running: [] });
      });
  },
};
