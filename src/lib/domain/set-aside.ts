import type { Advice, Remedy } from "./remedy.ts";
import { advice, remedy } from "./remedy.ts";
import type { Ticket } from "./ticket.ts";

/** What makes a ticket that was set aside continue: its remedy, then `retry` unless it only needed an approval. */
export function waysOn(
  { id, set_aside: needs }: Pick<Ticket, "id" | "set_aside">,
  helps: Remedy | null,
): Advice {
  const retry = remedy("retry", [id]);
  if (helps === null) return retry;
  if (needs === "approval" || helps.verb === "retry") return helps;
  return advice`${helps}, then ${retry}`;
}
