import type { Command as Commander } from "commander";

import type { Planned } from "../lib/domain/plan.ts";
import type { Advice } from "../lib/domain/remedy.ts";
import type { Shown } from "../lib/host/output.ts";
import type { CommandContext } from "./context.ts";

export interface Result {
  /** Text for people, printed on stdout; nothing when empty or absent. */
  readonly text?: Advice;
  /** The text in colour, for a terminal that has it. */
  readonly shown?: Shown;
  /** The document that --json prints on stdout. */
  readonly value: unknown;
  /** Exit code, when it is not 0. */
  readonly exitCode?: number;
}

/** A result, or nothing when `run` has already written it through the context. */
type MaybeResult = Result | undefined;

/** A PID-file lock that a changing command holds while it runs. */
export interface CommandLock {
  readonly name: string;
  /** Waits a while for another copy to finish, instead of refusing at once. */
  readonly patient?: boolean;
  /** Allows as many copies as tickets may be in flight. */
  readonly slots?: "concurrency";
}

/** What help shows below the options of a command or verb. */
interface Help {
  /** Two or more, without the program's name. A verb without examples shows its command's. */
  readonly examples?: readonly string[];
  /** Shown before the examples. */
  readonly notes?: string;
}

interface AnyVerb<Options> extends Help {
  readonly define?: (command: Commander) => unknown;
  /** Rejects options that contradict each other, before any work. @throws UbuntuCiError (2) */
  check?(options: Options): void;
  /** Absolute paths of the files it reads: root passes copies of them on to the state's owner. */
  reads?(options: Options): readonly string[];
  /**
   * What a person is told whose signal ends it: what stays, and what goes on. `null`: it says so itself,
   * or a signal is its usual end.
   */
  readonly whenInterrupted?: Advice | null;
  /** It watches the context's signal and ends in order; others are given up a moment after it. */
  readonly endsItself?: true;
  /** The result when no context can be made, for example because there is no state; without it that is an error. */
  withoutContext?(thrown: unknown): Result;
}

interface ReadingVerb<Options> extends AnyVerb<Options> {
  readonly changes: false;
  run(
    context: CommandContext,
    options: Options,
  ): MaybeResult | Promise<MaybeResult>;
}

interface ChangingVerb<Options, P extends Planned> extends AnyVerb<Options> {
  /** It is refused in maintenance, takes its locks, and has --dry-run. */
  readonly changes: true;
  /** It runs in maintenance as well. */
  readonly inMaintenance?: boolean;
  /** Held while it runs; taken in this order. */
  readonly locks?: readonly CommandLock[];
  /** With these options it changes nothing: it takes no lock, runs in maintenance, and has no plan. */
  onlyReads?(options: Options): boolean;
  /** Its result when a cheap look shows that there is nothing to do; no lock is taken then. */
  nothingToDo?(
    context: CommandContext,
    options: Options,
  ): Promise<Result | undefined>;
  /** What it would do now. Must not change anything. */
  plan(context: CommandContext, options: Options): P | Promise<P>;
  /** What --dry-run prints, where that is not just the plan. */
  describe?(plan: P, context: CommandContext): Result;
  /**
   * Does the work, under the locks.
   *
   * @param plan makes the plan that --dry-run shows. A verb that plans inside a transaction of its own
   *   ignores it and returns that plan.
   * @returns a function to call after the locks are released, if there is one
   */
  run(
    context: CommandContext,
    options: Options,
    plan: () => Promise<P>,
  ): Promise<MaybeResult | (() => Promise<Result>)>;
}

/**
 * What one command line does. `Options` holds its arguments and options by name, without the global
 * ones; what was not given is absent.
 */
export type Verb<Options = object, P extends Planned = Planned> =
  ReadingVerb<Options> | ChangingVerb<Options, P>;

/** One verb of a command that has several: `ppa add`. */
export type NamedVerb<Options = object, P extends Planned = Planned> = Verb<
  Options,
  P
> & { readonly name: string; readonly summary: string };

/** Properties that a command's verbs share. */
export interface CommandTraits {
  readonly examples: readonly string[];
  /**
   * How it depends on the state; by default it needs one. `begun`: it creates one, in a folder of its
   * own; `restored`: it creates one; `damaged`: it needs one, but parts of it may be missing; `optional`:
   * it can do without; `diagnosed`: it reports on whatever it finds; `none`: it never uses one.
   */
  readonly state?:
    "begun" | "restored" | "damaged" | "optional" | "diagnosed" | "none";
  /** It reports wrong file modes, which other commands correct. */
  readonly tellsModes?: boolean;
  /** Runs as the calling user and reads no configuration; other commands switch from root to the state's owner. */
  readonly staysCaller?: boolean;
}

/** A command with one action. */
export type Command<
  Options = object,
  P extends Planned = Planned,
> = CommandTraits & Verb<Options, P>;

/** A command with verbs; the first one is the default. */
export interface CommandWithVerbs extends CommandTraits {
  readonly verbs: readonly [NamedVerb, ...NamedVerb[]];
}

/**
 * Groups of commands: the headings of help, in order, named like the folders. `tickets` topics work with
 * any ticket system; the others with this installation, so that -u and -S are refused.
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

/** A row of the command table: its help line and where its code is. */
export interface CommandEntry {
  readonly topic: keyof typeof topics;
  /** Where that is not what its topic speaks to. */
  readonly speaksTo?: "tickets" | "installation";
  readonly summary: string;
  readonly load: () => Promise<{ command: Command | CommandWithVerbs }>;
}
