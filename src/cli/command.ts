import type { Command as Commander } from "commander";

import type { Advice } from "../lib/domain/remedy.ts";
import type { CommandContext } from "./context.ts";

/** What a command came to. */
export interface Result {
  /** For people, on stdout; nothing when it is empty or absent. */
  readonly text?: Advice;
  /** With --json the one document on stdout. */
  readonly value: unknown;
  /** What to exit with, when it is not 0. */
  readonly exitCode?: number;
}

/** What a run returns: nothing when it has written its result through the context itself. */
export type Outcome = Result | undefined;

/** A PID-file lock that a changing command holds while it runs. */
export interface CommandLock {
  readonly name: string;
  /** Many people do this at once: it waits a while for another copy. */
  readonly patient?: boolean;
  /** As many copies may run as tickets may be in flight. */
  readonly slots?: "concurrency";
}

/** What the help of a command, or of a verb, says below its options. */
interface Help {
  /** Two or more, without the program's name. A verb that has none shows those of its command. */
  readonly examples?: readonly string[];
  /** Shown before the examples. */
  readonly notes?: string;
}

interface AnyVerb<Options> extends Help {
  /** Adds arguments and options to the commander command. */
  readonly define?: (command: Commander) => unknown;
  /** Refuses what makes no sense together, before anything is looked at. @throws UbuntuCiError (2) */
  check?(options: Options): void;
  /** The files that it reads, absolute: root hands them over. */
  reads?(options: Options): readonly string[];
  /** What to say where not even a context can be made, as for lack of a state; else that is an error. */
  withoutContext?(thrown: unknown): Result;
}

interface ReadingVerb<Options> extends AnyVerb<Options> {
  readonly changes: false;
  run(context: CommandContext, options: Options): Outcome | Promise<Outcome>;
}

interface ChangingVerb<Options, Plan> extends AnyVerb<Options> {
  /** It stops in maintenance, takes its locks, and has --dry-run. */
  readonly changes: true;
  /** It runs in maintenance, too. */
  readonly inMaintenance?: boolean;
  /** Held while it runs, the first taken first. */
  readonly locks?: readonly CommandLock[];
  /** With these options it changes nothing: it takes no lock, runs in maintenance, and has no plan. */
  onlyReads?(options: Options): boolean;
  /** What it comes to where one cheap look shows that there is nothing to do: no lock is taken then. */
  nothingToDo?(
    context: CommandContext,
    options: Options,
  ): Promise<Result | undefined>;
  /** What it would do now. Changes nothing. */
  plan(context: CommandContext, options: Options): Plan | Promise<Plan>;
  /** The plan as --dry-run shows it. */
  describe(plan: Plan, context: CommandContext): Result;
  /**
   * Does it, under the locks.
   *
   * @param plan makes the plan to execute, the one that --dry-run shows. What plans in a transaction
   *   of its own does without, and returns that plan.
   * @returns a function where something is left to do once the locks are given back
   */
  run(
    context: CommandContext,
    options: Options,
    plan: () => Promise<Plan>,
  ): Promise<Outcome | (() => Promise<Result>)>;
}

/**
 * What is done for a command line. `Options` has its arguments and options by their names, without
 * those that every command has; what was not given is not in it.
 */
export type Verb<Options = object, Plan = unknown> =
  ReadingVerb<Options> | ChangingVerb<Options, Plan>;

/** A verb of a command that has several: `ppa add`. */
export type NamedVerb<Options = object, Plan = unknown> = Verb<
  Options,
  Plan
> & { readonly name: string; readonly summary: string };

/** What holds for a command whatever its verb. */
export interface CommandTraits {
  readonly examples: readonly string[];
  /**
   * Without it the command needs a state. `begun`: it makes one, in a folder of its own; `restored`: it
   * makes one; `optional`: it can do without; `diagnosed`: it tells of whatever is there; `none`: it has
   * nothing to do with one.
   */
  readonly state?: "begun" | "restored" | "optional" | "diagnosed" | "none";
  /** It tells of the files' modes, which the others put right. */
  readonly tellsModes?: boolean;
  /** Stays root, where the others become the state's owner; it reads no configuration. */
  readonly staysCaller?: boolean;
}

/** A command that does one thing. */
export type Command<Options = object, Plan = unknown> = CommandTraits &
  Verb<Options, Plan>;

/** A command that has verbs; the first is what it does when none is named. */
export interface CommandWithVerbs extends CommandTraits {
  readonly verbs: readonly [NamedVerb, ...NamedVerb[]];
}

/**
 * What commands are about: the headings of help, in the order of the table, by the names of their
 * folders. They speak to tickets, wherever those are kept, or to this installation, where -u and -S make
 * no sense and are refused.
 */
export const topics = {
  tickets: { heading: "Tickets:", speaksTo: "tickets" },
  steps: { heading: "Steps:", speaksTo: "installation" },
  pool: { heading: "Pool of PPAs:", speaksTo: "installation" },
  archive: { heading: "Archive:", speaksTo: "installation" },
  shepherd: { heading: "Shepherd:", speaksTo: "installation" },
  upkeep: { heading: "Upkeep:", speaksTo: "installation" },
  installation: { heading: "Installation:", speaksTo: "installation" },
} as const;

/** A command in the table of them all: what help says of it, and where it is. */
export interface CommandEntry {
  readonly topic: keyof typeof topics;
  readonly summary: string;
  readonly load: () => Promise<{ command: Command | CommandWithVerbs }>;
}
