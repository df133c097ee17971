import type { OpenTicket, QueuedTicket } from "../queue.ts";
import type { Remedy } from "../remedy.ts";
import type { Ticket } from "../ticket.ts";

/** All that decides where a ticket is, at one moment. */
export interface Situation {
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  readonly ticket: Ticket;
  readonly maintenance: {
    readonly since: string;
    readonly by: string | null;
    readonly reason: string | null;
  } | null;
  readonly concurrency: number;
  /** The other tickets in flight. */
  readonly inFlight: readonly OpenTicket[];
  /** The tickets before it in the queue, the next one first. */
  readonly ahead: readonly QueuedTicket[];
  readonly pool: readonly {
    readonly name: string;
    readonly state: "reserved" | "dirty" | "cleaning" | "free";
    readonly ticket: number | null;
  }[];
  readonly poolPrefix: string;
  /** Who works on it; `gone` when that process has died. */
  readonly worker: {
    readonly pid: number;
    readonly host: string;
    readonly gone: boolean;
  } | null;
  readonly held: { readonly by: string; readonly at: string } | null;
  readonly hasImage: boolean;
  readonly architecture: string;
  /** The command that gets what the last attempt found missing. */
  readonly missing: Remedy | string | null;
}
