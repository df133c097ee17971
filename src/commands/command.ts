import type { Command as Commander } from "commander";

import type { CommandContext } from "./context.ts";

/** A command: how its options look, and what it does. */
export interface CommandModule {
  /**
   * Adds arguments, options and examples to the commander command, and the action at its end. The
   * context is made with the files that the command is going to read: root hands them over.
   */
  define(
    command: Commander,
    context: (reads?: readonly string[]) => Promise<CommandContext>,
  ): void;
}
