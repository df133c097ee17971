import type { Progress } from "./ticket.ts";

type Counted = Pick<Progress, "message" | "current" | "total">;

/** What a step is doing, for people: "testing hello (3/5)". */
export function progressInWords({ message, current, total }: Counted): string {
  return current === null || total === null
    ? message
    : `${message} (${current}/${total})`;
}

/** Progress with the count first, for a line that may be cut at its end: "3/5 testing hello". */
export function countFirst({ message, current, total }: Counted): string {
  return current === null || total === null
    ? message
    : `${current}/${total} ${message}`;
}
