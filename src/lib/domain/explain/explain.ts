import { noRoomInWords } from "../disk-room.ts";
import {
  endInWords,
  ignoredBecause,
  inForce,
  overrideInWords,
  undoing,
} from "../override.ts";
import { isInFlight } from "../queue.ts";
import { isDue } from "../retry.ts";
import { completeStep, failedStep, workStep } from "../step.ts";
import {
  pending,
  ready,
  retryLater,
  running,
  toBeCancelled,
} from "./at-step.ts";
import { failed, published } from "./ended.ts";
import type { Explanation, Cause } from "./explanation.ts";
import { isoOf } from "./explanation.ts";
import {
  behindOthers,
  drafted,
  held,
  setAside,
  withoutPpa,
} from "./in-queue.ts";
import type { Situation } from "./situation.ts";
import { remedy } from "../remedy.ts";

/** Why a ticket is where it is, what happens next on its own, and what a person may do about it. */
export function explain(situation: Situation): Explanation {
  const { ticket } = situation;
  const found = withMaintenance(
    situation,
    withMissingRoom(situation, findingOf(situation)),
  );
  const asked = ticket.step.code === completeStep ? [] : ticket.overrides;
  const overrides = inForce(asked);
  const over = asked.filter(({ undone, ended }) => undone === null && ended);
  const unmailable = situation.ownerIsUnmailable;
  const commands = [
    ...(found.unblock === null ? [] : [found.unblock]),
    ...(found.also ?? []),
    ...(unmailable
      ? [
          {
            command: remedy("update_ticket", [ticket.id], { owner: "EMAIL" }),
            effect: "gives it an owner who gets mails",
          },
        ]
      : []),
    ...overrides.map((override) => ({
      command: undoing(ticket, override),
      effect: `lets ${override.target} count again`,
    })),
  ];
  return {
    ticket: ticket.id,
    blocked: found.blocked,
    step: ticket.step,
    status: ticket.status,
    because: [
      ...found.because,
      ...(unmailable
        ? [
            `its owner ${JSON.stringify(ticket.owner)} gets no mail of it: that is no mail address`,
          ]
        : []),
      ...overrides.map(
        (override) =>
          `${overrideInWords(override)}: ${ignoredBecause(override)}`,
      ),
      ...over.map(
        (override) =>
          `${overrideInWords(override)} does not count any more: it ${endInWords(override) ?? ""}`,
      ),
    ],
    next:
      found.next === null
        ? null
        : { ...found.next, at: found.next.at ?? earliest(situation) },
    unblock: found.unblock?.command ?? null,
    expected: ticket.expected ?? null,
    eta: ticket.eta,
    commands,
  };
}

/** When something that waits for others can happen at the earliest: as landed tickets tell, else now. */
function earliest({ ticket: { expected, status }, nowMs }: Situation): string {
  const begins = status === "running" ? expected?.end : expected?.start;
  return begins?.earliest ?? isoOf(nowMs);
}

function findingOf(situation: Situation): Cause {
  const { ticket } = situation;
  if (ticket.step.code === completeStep) return published(ticket);
  if (ticket.step.code === failedStep) return failed(situation);
  if (ticket.status === "running") return running(situation);
  if (ticket.cancelled !== null) return toBeCancelled(situation);
  if (ticket.status === "set-aside") return setAside(situation);
  if (ticket.status === "draft") return drafted(situation);
  if (ticket.status === "held") return held(situation);
  if (ticket.pending !== null) return pending(situation, ticket.pending);
  if (!isDue(ticket.retry_at, situation.nowMs)) return retryLater(situation);
  if (!isInFlight(ticket))
    return behindOthers(situation) ?? withoutPpa(situation) ?? ready(situation);
  return ready(situation);
}

/** Adds to an explanation that the disk has too little room for the step that would come next. */
function withMissingRoom(
  { ticket, missingRoom }: Situation,
  found: Cause,
): Cause {
  const step = workStep(ticket.step.code);
  if (
    missingRoom === null ||
    ticket.status !== "waiting" ||
    step === undefined ||
    step.publishes === true
  )
    return found;
  return {
    blocked: true,
    because: [
      `no step starts: ${noRoomInWords(missingRoom)}`,
      ...found.because,
    ],
    next:
      found.next === null
        ? null
        : {
            action: `when there is room again: ${found.next.action}`,
            at: found.next.at,
          },
    unblock: {
      command: remedy("expire"),
      effect: "makes room: removes what the settings give up",
    },
    also: [
      ...(found.unblock === null ? [] : [found.unblock]),
      ...(found.also ?? []),
    ],
  };
}

/** Adds to an explanation that maintenance holds back whatever would happen next. */
function withMaintenance(
  { ticket, maintenance }: Situation,
  found: Cause,
): Cause {
  if (maintenance === null || ticket.step.code === completeStep) return found;
  const by = maintenance.by === null ? "" : ` by ${maintenance.by}`;
  const why = maintenance.reason === null ? "" : `: ${maintenance.reason}`;
  const because = `maintenance is on since ${maintenance.since}${by}${why}`;
  const off = {
    command: remedy("maintenance off"),
    effect: "ends maintenance",
  };
  if (ticket.step.code === failedStep)
    return {
      ...found,
      because: [
        ...found.because,
        `${because}; a retry has to wait for its end`,
      ],
      also: [...(found.also ?? []), off],
    };
  if (ticket.status === "running" && !found.blocked)
    return {
      ...found,
      because: [...found.because, `${because}; what runs goes on to its end`],
      next:
        found.next === null
          ? null
          : {
              ...found.next,
              action: `${found.next.action}, after maintenance`,
            },
      also: [off, ...(found.also ?? [])],
    };
  return {
    blocked: true,
    because: [because, ...found.because],
    next:
      found.next === null
        ? null
        : {
            action: `when maintenance has ended: ${found.next.action}`,
            at: null,
          },
    unblock: off,
    also: [
      ...(found.unblock === null ? [] : [found.unblock]),
      ...(found.also ?? []),
    ],
  };
}
