import type { OpenTicket, QueuedTicket } from "../queue.ts";
import { inCommon, isFull, startable, startBlockers } from "../queue.ts";
import { stepOf } from "../step.ts";
import type { Ticket } from "../ticket.ts";
import type { Cause, Suggestion } from "./explanation.ts";
import { inWords, isoOf, landing } from "./explanation.ts";
import type { Situation } from "./situation.ts";
import { pooledName } from "../ppa-name.ts";
import { remedy } from "../remedy.ts";

export function held({ ticket, held: by }: Situation): Cause {
  return {
    blocked: true,
    because: [
      by === null ? "it is held" : `it is held by ${by.by}, since ${by.at}`,
    ],
    next: null,
    unblock: {
      command: remedy("update_ticket", [ticket.id], { queue: true }),
      effect: "queues it",
    },
  };
}

/** Explains a draft: its author has to queue it. */
export function drafted({ ticket }: Situation): Cause {
  return {
    blocked: true,
    because: ["it is a draft: it was created with --wait"],
    next: null,
    unblock: {
      command: remedy("update_ticket", [ticket.id], { queue: true }),
      effect: "queues it",
    },
  };
}

/** Explains a ticket that was set aside: what a person has to do; other tickets do not wait for it. */
export function setAside({ ticket, missing }: Situation): Cause {
  const retry = {
    command: remedy("retry", [ticket.id]),
    effect: `queues it again, to go on at ${ticket.step.name}`,
  };
  const approval = ticket.set_aside === "approval";
  const helps =
    missing === null ||
    (typeof missing !== "string" && missing.verb === "retry")
      ? null
      : missing;
  return {
    blocked: true,
    because: [
      `it is set aside, and needs ${approval ? "an approval" : "something to be put right"}: ${ticket.waiting_for ?? ""}`,
    ],
    next: null,
    unblock:
      helps === null
        ? retry
        : {
            command: helps,
            effect: approval
              ? "gives the approval; the ticket goes on by itself then"
              : "puts it right",
          },
    also: [
      ...(helps === null ? [] : [retry]),
      {
        command: remedy("cancel", [ticket.id]),
        effect: "ends the ticket, if it is not wanted any more",
      },
    ],
  };
}

/** Explains why the rules of the queue keep a ticket from starting; null when they do not. */
export function behindOthers(situation: Situation): Cause | null {
  const { ticket, inFlight, ahead, concurrency } = situation;
  const mine = ticket.subtickets.map(({ source }) => source);
  const common = (other: OpenTicket) => inCommon(mine, other);
  const inTheWay = startBlockers(mine, inFlight, [], concurrency);
  if (inTheWay.length > 0) {
    const [first] = inTheWay;
    const many = inTheWay.length > 1;
    const ids = inTheWay.map(({ id }) => String(id));
    const full = isFull(inFlight, concurrency);
    return {
      blocked: true,
      because: [
        ...inTheWay.map(
          (other) =>
            `it waits behind ticket ${other.id}, which is at ${stepOf(other.step).name} (${other.status})${sharing(common(other))}`,
        ),
        ...(full ? [limitInWords(concurrency)] : []),
        ...turnInWords(ahead),
      ],
      next: {
        action: `when ${many && !full ? `tickets ${inWords(ids, "and")} have` : `ticket ${inWords(ids, "or")} has`} ended, the next pass of assign-ppa or land starts ${ahead.length === 0 ? "it" : "the first of the queue"}`,
        at: null,
      },
      unblock: first === undefined ? null : hurrying(first),
      also: [
        ...inTheWay.slice(1).map(hurrying),
        ...(ahead.length > 0 ? [firstOf(ticket, ahead)] : []),
      ],
    };
  }
  const [sharedAhead] = startBlockers(mine, inFlight, ahead, concurrency);
  if (sharedAhead !== undefined) {
    return {
      blocked: true,
      because: [
        `it waits behind ticket ${sharedAhead.id}, which comes before it in the queue${sharing(common(sharedAhead))}`,
      ],
      next: {
        action: `when ticket ${sharedAhead.id} has landed, the next pass of assign-ppa or land starts it`,
        at: null,
      },
      unblock: hurrying(sharedAhead),
      also: [firstOf(ticket, ahead)],
    };
  }
  const before = [...startable(inFlight, ahead)];
  if (before.length < concurrency - inFlight.length) return null;
  return {
    blocked: true,
    because: [...turnInWords(ahead), limitInWords(concurrency)],
    next: {
      action: `the next pass of assign-ppa or land starts ticket ${before[0]?.id ?? ""}, and this one in its turn`,
      at: null,
    },
    unblock: firstOf(ticket, ahead),
  };
}

function sharing(sources: readonly string[]): string {
  return sources.length === 0 ? "" : `: both have ${inWords(sources, "and")}`;
}

function limitInWords(concurrency: number): string {
  return `${concurrency === 1 ? "one ticket is" : `${concurrency} tickets are`} in flight at a time (\`concurrency\`)`;
}

/** The tickets ahead in the queue; for a long queue only the first ones, and the number of all. */
function turnInWords(ahead: readonly QueuedTicket[]): string[] {
  if (ahead.length === 0) return [];
  const ids = ahead.slice(0, 5).map(({ id }) => String(id));
  return [
    ahead.length === 1
      ? `ticket ${ids[0] ?? ""} is before it in the queue`
      : `${ahead.length} tickets are before it in the queue: ${ids.join(", ")}${ahead.length > ids.length ? ", …" : ""}`,
  ];
}

function firstOf(ticket: Ticket, ahead: readonly QueuedTicket[]): Suggestion {
  const highest = Math.max(...ahead.map(({ priority }) => priority));
  return {
    command: remedy("update_ticket", [ticket.id], {
      priority: String(highest + 1),
    }),
    effect: "makes it the first of the queue",
  };
}

/** A command that stops another ticket from being in the way. */
function hurrying({ id, status }: OpenTicket): Suggestion {
  return status === "running"
    ? {
        command: remedy("cancel", [id]),
        effect: `ends ticket ${id}, which is being worked on: only if it is not wanted any more`,
      }
    : landing(id, `takes ticket ${id} on now`);
}

export function withoutPpa({
  ticket,
  pool,
  poolPrefix,
  nowMs,
}: Situation): Cause | null {
  if (pool.some(({ state }) => state === "free")) return null;
  const start = "assign-ppa takes it then";
  if (pool.length === 0)
    return {
      blocked: true,
      because: ["no PPA is free: the pool is empty"],
      next: null,
      unblock: {
        command: remedy("ppa populate"),
        effect: `fills the pool; ${start}`,
      },
    };
  const because = [
    `no PPA is free: ${pool.map(({ name, state, ticket: of }) => `${name} is ${state}${of === null ? "" : ` by ticket ${of}`}`).join(", ")}`,
  ];
  if (pool.some(({ state }) => state !== "reserved"))
    return {
      blocked: true,
      because,
      next: {
        action: `the next pass of clean-ppas or land empties what was given back, and ${start}`,
        at: isoOf(nowMs),
      },
      unblock: {
        command: remedy("clean-ppas"),
        effect: `empties what was given back; ${start}`,
      },
    };
  return {
    blocked: true,
    because,
    next: {
      action: `when one of those tickets has ended its PPA is emptied by clean-ppas or land, and ${start}`,
      at: null,
    },
    unblock: {
      command: remedy("ppa add", [newName(pool, poolPrefix)]),
      effect: `adds one more to the pool; ${start}`,
    },
    also: [landing(ticket.id, "takes it on when there is one")],
  };
}

function newName(pool: Situation["pool"], prefix: string): string {
  const names = new Set(pool.map(({ name }) => name));
  for (let number = pool.length + 1; ; number += 1) {
    const name = pooledName(prefix, number);
    if (!names.has(name)) return name;
  }
}
