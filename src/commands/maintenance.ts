import { setTimeout } from "node:timers/promises";

import {
  endMaintenance,
  readMaintenance,
  startMaintenance,
} from "../lib/host/maintenance.ts";
import type { CommandModule } from "./index.ts";

export const command: CommandModule = {
  define(command, makeContext) {
    command.addHelpText(
      "after",
      '\nExamples:\n  ubuntu-ci maintenance on --reason "new disk"\n  ubuntu-ci maintenance off',
    );
    command
      .command("status", { isDefault: true })
      .description("whether it is on, since when, by whom, why")
      .action(async () => {
        const context = await makeContext();
        const maintenance = readMaintenance(context.paths.maintenance);
        const text =
          maintenance === null
            ? "off"
            : `on since ${maintenance.since}${maintenance.by === null ? "" : ` by ${maintenance.by}`}${maintenance.reason === null ? "" : `: ${maintenance.reason}`}`;
        context.result(text, { maintenance });
      });
    command
      .command("on")
      .description("hold every changing command back")
      .option("--reason <text>", "why, for all to read (default: none)")
      .action(async (options: { reason?: string }) => {
        const context = await makeContext();
        if (context.options.dryRun === true) {
          context.result(`write ${context.paths.maintenance}`, {
            maintenance: "on",
          });
          return;
        }
        startMaintenance(
          context.paths.maintenance,
          context.actor,
          options.reason ?? null,
        );
        context.result("", {
          maintenance: readMaintenance(context.paths.maintenance),
        });
      });
    command
      .command("off")
      .description("let changing commands start again")
      .action(async () => {
        const context = await makeContext();
        if (context.options.dryRun === true) {
          context.result(`remove ${context.paths.maintenance}`, {
            maintenance: "off",
          });
          return;
        }
        endMaintenance(context.paths.maintenance);
        context.result("", { maintenance: null });
      });
    command
      .command("wait")
      .description("return when nothing is running any more")
      .action(async () => {
        const context = await makeContext();
        const { heldLocks } = await import("../lib/host/lock.ts");
        for (;;) {
          const running = heldLocks(context.paths.run).filter(
            ({ dead }) => !dead,
          );
          if (running.length === 0) break;
          context.say(
            `waiting for ${running.map(({ name, pid }) => `${name} (${pid})`).join(", ")}`,
          );
          await setTimeout(1000, undefined, { signal: context.signal });
        }
        context.result("", { running: [] });
      });
  },
};
