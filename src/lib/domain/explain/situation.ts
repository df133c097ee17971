import type { OpenTicket, QueuedTicket } from "../queue.ts";
import type { DiskRoom } from "../disk-room.ts";
import type { Remedy } from "../remedy.ts";
import type { Ticket } from "../ticket.ts";

/** Everything that an explanation of a ticket is derived from, at one moment. */
export interface Situation {
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  readonly ticket: Ticket;
  readonly maintenance: {
    readonly since: string;
    readonly by: string | null;
    readonly reason: string | null;
  } | null;
  /** The room on the disk, where that is too little for a step to start. */
  readonly missingRoom: DiskRoom | null;
  readonly concurrency: number;
  /** The other tickets in flight. */
  readonly inFlight: readonly OpenTicket[];
  /** The tickets ahead of it in the queue, the next to start first. */
  readonly ahead: readonly QueuedTicket[];
  readonly pool: readonly {
    readonly name: string;
    readonly state: "reserved" | "dirty" | "cleaning" | "free";
    readonly ticket: number | null;
  }[];
  readonly poolPrefix: string;
  /** The process that works on the ticket; `gone` when it has died. */
  readonly worker: {
    readonly pid: number;
    readonly host: string;
    readonly gone: boolean;
  } | null;
  readonly held: { readonly by: string; readonly at: string } | null;
  /** Mails are sent, and none can go to the ticket's owner. */
  readonly ownerIsUnmailable: boolean;
  readonly hasImage: boolean;
  readonly architecture: string;
  /** The command that provides what the last attempt found missing. */
  readonly missing: Remedy | string | null;
}
