import type { Command as Commander } from "commander";

import type { CommandEntry, CommandModule } from "./command.ts";
import { addGlobalOptions } from "./global-options.ts";

/** Gives a commander command what it says of itself, and what all have. */
export async function defineCommand(
  commander: Commander,
  entry: CommandEntry,
  makeContext: Parameters<CommandModule["define"]>[1],
): Promise<void> {
  const { command } = await entry.load();
  command.define(commander, makeContext);
  for (const one of [commander, ...commander.commands])
    addGlobalOptions(one).helpOption("-h, --help", "show this help");
}
