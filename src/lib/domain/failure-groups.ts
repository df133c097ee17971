import type { StepName } from "./step.ts";
import type { Blame } from "./ticket.ts";

/** A ticket that failed, as the list of failures needs it. */
export interface FailedTicket {
  readonly ticket: number;
  readonly title: string;
  readonly owner: string;
  readonly series: string;
  readonly kind: Blame;
  readonly step: StepName;
  readonly reason: string;
  /** ISO 8601 UTC. */
  readonly at: string;
}

/** Failures at one step for what is the same reason but for numbers and names. */
export interface FailureGroup {
  readonly kind: Blame;
  readonly step: StepName;
  /** The reason of the newest. */
  readonly reason: string;
  readonly newest: string;
  /** Newest first. */
  readonly tickets: readonly FailedTicket[];
}

/**
 * Failures by whose fault they are and by their reason: the most frequent first, then the newest.
 *
 * @param failed newest first
 */
export function failureGroups(failed: readonly FailedTicket[]): FailureGroup[] {
  const groups = new Map<string, FailedTicket[]>();
  for (const one of failed) {
    const key = JSON.stringify([one.kind, one.step, essence(one.reason)]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [one]);
    else group.push(one);
  }
  return [...groups.values()]
    .flatMap((tickets) => {
      const [newest] = tickets;
      if (newest === undefined) return [];
      const { kind, step, reason, at } = newest;
      return [{ kind, step, reason, newest: at, tickets }];
    })
    .sort(
      (one, other) =>
        other.tickets.length - one.tickets.length ||
        (one.newest < other.newest ? 1 : -1),
    );
}

/** Longest part of a reason that tells it from others, in characters. */
const longest = 200;

/** A reason without what differs from one package and one run to the next: the package in front, numbers, hashes, paths. */
function essence(reason: string): string {
  return reason
    .slice(0, 4 * longest)
    .replace(/^\S+ \S+: /, "")
    .replaceAll(/(?:\/[^\s/:]{1,200})+/g, "/PATH")
    .replaceAll(/\b[0-9a-f]{7,64}\b/g, "HASH")
    .replaceAll(/[0-9]+/g, "N")
    .slice(0, longest);
}
