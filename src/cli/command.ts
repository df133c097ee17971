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

/** What commands are about: the headings of help, in the order of the table, and their folders. */
export const topics = {
  tickets: "Tickets:",
  steps: "Steps:",
  pool: "Pool of PPAs:",
  archive: "Archive:",
  shepherd: "Shepherd:",
  upkeep: "Upkeep:",
  installation: "Installation:",
} as const;

/** A command in the table of them all. */
export interface CommandEntry {
  readonly topic: keyof typeof topics;
  /**
   * What it works on: tickets, wherever they are kept, or this installation, where -u and -S make no
   * sense and are refused.
   */
  readonly speaksTo: "tickets" | "installation";
  readonly summary: string;
  /** Whether it changes something, or which of its verbs do: those stop in maintenance. */
  readonly changes: boolean | readonly string[];
  readonly load: () => Promise<{ command: CommandModule }>;
  /** Stays root, where the others become the state's owner; it reads no configuration. */
  readonly staysCaller?: boolean;
  /** Begins a state where there is none, can do without, or has nothing to do with one; any other needs one. */
  readonly state?: "begins" | "optional" | "none";
}
