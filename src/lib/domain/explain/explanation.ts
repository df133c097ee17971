import type { Step } from "../step.ts";
import type { Expected } from "../expected.ts";
import type { Ticket } from "../ticket.ts";

/** A command that a person may run, whole, and what comes of it. */
export interface Remedy {
  readonly command: string;
  readonly effect: string;
}

/** Why a ticket is where it is: the shape of `explain N --json`. */
export interface Explanation {
  readonly ticket: number;
  /** Something keeps it from going on by itself, now. */
  readonly blocked: boolean;
  readonly step: Step;
  readonly because: readonly string[];
  /** What happens on its own; `at` is null where the time depends on something else. */
  readonly next: { readonly action: string; readonly at: string | null } | null;
  readonly unblock: string | null;
  /** The time it can expect, as `status` shows it. */
  readonly expected: Expected | null;
  /** Every command that helps, the one of `unblock` first. */
  readonly commands: readonly Remedy[];
}

export type Cause = Omit<
  Explanation,
  "ticket" | "step" | "unblock" | "commands" | "because" | "expected"
> & {
  readonly because: readonly string[];
  readonly unblock: Remedy | null;
  readonly also?: readonly Remedy[];
};

export function landing({ id }: Ticket, effect: string): Remedy {
  return { command: `ubuntu-ci land --ticket ${id}`, effect };
}

export function inWords(words: readonly string[], and: string): string {
  return words.length < 2
    ? words.join("")
    : `${words.slice(0, -1).join(", ")} ${and} ${words.at(-1) ?? ""}`;
}

export function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
