import { cancelledInWords } from "../cancel.ts";
import { passedOver } from "../override.ts";
import type { WorkStepCode } from "../step.ts";
import { commandOf, nextStep } from "../step.ts";
import type { Ticket } from "../ticket.ts";
import type { Cause } from "./explanation.ts";
import { isoOf, landing, showing } from "./explanation.ts";
import type { Situation } from "./situation.ts";
import { remedy } from "../remedy.ts";

export function running(situation: Situation): Cause {
  const { ticket, worker } = situation;
  const step = ticket.step.code as WorkStepCode;
  const command = commandOf(step);
  const run = ticket.runs.at(-1);
  const attempt =
    run === undefined || run.attempt === 1 ? "" : ` (attempt ${run.attempt})`;
  const who =
    worker === null ? "" : `, process ${worker.pid} on ${worker.host}`;
  if (worker?.gone === true) {
    return {
      blocked: true,
      because: [
        `process ${worker.pid} on ${worker.host}, which worked on ${command}${attempt}, is gone`,
      ],
      next: {
        action: `the next pass of ${command} or land gives its lease up and ${ticket.cancelled === null ? "tries again" : "ends the ticket as cancelled"}`,
        at: isoOf(situation.nowMs),
      },
      unblock: landing(ticket.id, "does so now"),
    };
  }
  const since = run === undefined ? "" : ` since ${run.started_at}`;
  const { progress } = ticket;
  const doing =
    progress === null
      ? ""
      : `: ${progress.message}${progress.current !== null && progress.total !== null ? ` (${progress.current}/${progress.total})` : ""}`;
  const because = [`${command} works on it${since}${attempt}${who}${doing}`];
  if (ticket.cancelled !== null) {
    return {
      blocked: false,
      because: [
        ...because,
        `it is to be ${cancelledInWords(ticket.cancelled)}`,
      ],
      next: {
        action: "that process ends what it runs, and the ticket as cancelled",
        at: isoOf(situation.nowMs),
      },
      unblock: null,
    };
  }
  const after = nextStep(step);
  return {
    blocked: false,
    because,
    next: {
      action: `when it passes, ${after === 1000 ? "the ticket is complete" : `${nextCommandOf(ticket, step)} follows`}`,
      at: null,
    },
    unblock: null,
    also: [
      {
        command: remedy("status", [ticket.id]),
        effect: "shows how far it is",
      },
      {
        command: remedy("cancel", [ticket.id]),
        effect: "ends it, if it is not wanted any more",
      },
    ],
  };
}

function nextCommandOf(ticket: Ticket, step: WorkStepCode): string {
  const next =
    step === 100 && ticket.resume_step !== null
      ? Math.max(ticket.resume_step.code, 200)
      : nextStep(step);
  return commandOf(next as WorkStepCode);
}

/** A ticket cancelled while it was being published: only the archive knows which came first. */
export function toBeCancelled({ ticket, nowMs }: Situation): Cause {
  const command = commandOf(ticket.step.code as WorkStepCode);
  const words =
    ticket.cancelled === null
      ? "cancelled"
      : cancelledInWords(ticket.cancelled);
  return {
    blocked: false,
    because: [
      `it is to be ${words}`,
      "whether it was published before that is to be looked up",
    ],
    next: {
      action: `the next pass of ${command} or land does, and ends the ticket`,
      at: isoOf(nowMs),
    },
    unblock: landing(ticket.id, "does so now"),
  };
}

export function retryLater({ ticket }: Situation): Cause {
  const command = commandOf(ticket.step.code as WorkStepCode);
  const last = ticket.runs.at(-1);
  return {
    blocked: true,
    because: [
      `${command} did not get through, for a reason of ours; ${ticket.waiting_for ?? "it is tried again"}`,
    ],
    next: {
      action: `${command} tries again at the first pass after that time`,
      at: ticket.retry_at,
    },
    unblock: {
      command: remedy("retry", [ticket.id]),
      effect: "makes the next attempt due at once",
    },
    ...(last?.evidence != null && {
      also: [
        {
          command: showing(ticket, last.evidence),
          effect: "shows the last attempt's log",
        },
      ],
    }),
  };
}

/** Nothing blocks it: the next pass takes it. */
export function ready(situation: Situation): Cause {
  const { ticket, hasImage, architecture, missing, nowMs } = situation;
  const step = ticket.step.code as WorkStepCode;
  const command = commandOf(step);
  const over = passedOver(ticket.overrides, step, {
    image: hasImage,
    architecture,
  });
  const does = over === null ? "works on it" : `passes over it, ${over}`;
  const next = {
    action: `the next pass of ${command} or land ${does}`,
    at: isoOf(nowMs),
  };
  // A missing PPA is explained from the pool itself, which is more recent.
  const trouble =
    step === 100 && ticket.ppa === null ? null : ticket.waiting_for;
  if (trouble === null) {
    return {
      blocked: false,
      because: [`it is its turn, at ${ticket.step.name}`],
      next,
      unblock: landing(ticket.id, "does so now"),
    };
  }
  const land = landing(ticket.id, "tries now");
  return {
    blocked: missing !== null,
    because: [
      `the last attempt at ${ticket.step.name} did not get through: ${trouble}`,
    ],
    next,
    unblock:
      missing === null
        ? land
        : { command: missing, effect: "gets what is missing" },
    ...(missing !== null && { also: [land] }),
  };
}
