import type { Step } from "../step.ts";
import type { Ticket, TicketStatus } from "../ticket.ts";
import { uncompressedName } from "../compressed-name.ts";
import type { Expected } from "../expected.ts";
import type { Advice, Remedy } from "../remedy.ts";
import { remedy } from "../remedy.ts";

/** A command that a person may run, and its effect. */
export interface Suggestion {
  /** A remedy, or a system command as text. */
  readonly command: Remedy | string;
  readonly effect: Advice;
}

/** Why a ticket is where it is. */
export interface Explanation {
  readonly ticket: number;
  /** Whether something currently keeps the ticket from continuing by itself. */
  readonly blocked: boolean;
  readonly step: Step;
  readonly status: TicketStatus;
  readonly because: readonly string[];
  /** What happens on its own, and when at the earliest. */
  readonly next: { readonly action: string; readonly at: string } | null;
  readonly unblock: Suggestion["command"] | null;
  /** When the ticket is expected to start and complete. */
  readonly expected: Expected | null;
  /** When its owner expects it to land, ISO 8601 UTC, or null. */
  readonly eta: string | null;
  /** Every command that helps, the one in `unblock` first. */
  readonly commands: readonly Suggestion[];
}

export type Cause = Omit<
  Explanation,
  | "ticket"
  | "step"
  | "status"
  | "unblock"
  | "commands"
  | "because"
  | "expected"
  | "eta"
  | "next"
> & {
  /** `at` is null where the time depends on something else. */
  readonly next: { readonly action: string; readonly at: string | null } | null;
  readonly because: readonly string[];
  readonly unblock: Suggestion | null;
  readonly also?: readonly Suggestion[];
};

export function landing(id: number, effect: string): Suggestion {
  return { command: remedy("land", [], { ticket: String(id) }), effect };
}

/** The command that prints a stored log, which it unpacks for that name. */
export function showing({ id }: Ticket, artifact: string): Remedy {
  return remedy("get_artifact", [id, uncompressedName(artifact)], { o: "-" });
}

export function inWords(words: readonly string[], and: string): string {
  return words.length < 2
    ? words.join("")
    : `${words.slice(0, -1).join(", ")} ${and} ${words.at(-1) ?? ""}`;
}

export function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
