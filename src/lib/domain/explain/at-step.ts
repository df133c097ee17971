import { cancelledInWords } from "../cancel.ts";
import { passedOver } from "../override.ts";
import type { PendingJob } from "../pending.ts";
import { isDue } from "../retry.ts";
import type { WorkStepCode } from "../step.ts";
import { commandOf, workAt, workStep } from "../step.ts";
import { stepAfter } from "../transition.ts";
import type { Cause } from "./explanation.ts";
import { isoOf, landing, showing } from "./explanation.ts";
import type { Situation } from "./situation.ts";
import { remedy } from "../remedy.ts";
import { progressInWords } from "../progress.ts";

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
      unblock: landing(ticket.id, "does that now"),
    };
  }
  const since = run === undefined ? "" : ` since ${run.started_at}`;
  const doing =
    ticket.progress === null ? "" : `: ${progressInWords(ticket.progress)}`;
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
  const after = workStep(stepAfter(step, ticket.resume_step?.code ?? null));
  return {
    blocked: false,
    because,
    next: {
      action: `when it passes, ${after === undefined ? "the ticket is complete" : `${after.command} follows`}`,
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

/** Explains a ticket with a request to cancel. At the publish step the archive has to be checked first (cancel.ts). */
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
      "it may have been published before that: the archive has to be checked",
    ],
    next: {
      action: `the next pass of ${command} or land checks, and ends the ticket`,
      at: isoOf(nowMs),
    },
    unblock: landing(ticket.id, "checks now"),
  };
}

/** Explains a ticket whose job runs on a remote engine. */
export function pending(
  { ticket, nowMs }: Situation,
  { job, of, since, look_again_at: at }: PendingJob,
): Cause {
  const command = commandOf(ticket.step.code as WorkStepCode);
  const due = isDue(at, nowMs);
  return {
    blocked: false,
    because: [
      `${command} is pending: job ${job} of ${of} works on it since ${since}`,
    ],
    next: {
      action: `the ${due ? "next pass" : "first pass after that time"} of ${command} or land looks at the job again`,
      at: due ? isoOf(nowMs) : at,
    },
    unblock: null,
    also: [
      due
        ? landing(ticket.id, "looks now")
        : {
            command: remedy("retry", [ticket.id]),
            effect: "makes the next look due at once",
          },
      {
        command: remedy("cancel", [ticket.id]),
        effect: "ends it and its job, if it is not wanted any more",
      },
    ],
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

/** Explains a ticket that nothing blocks: the next pass takes it. */
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
  // A missing PPA is explained from the pool, which is more recent than the ticket's own reason.
  const trouble =
    workAt(step).reservesPpa === true && ticket.ppa === null
      ? null
      : ticket.waiting_for;
  if (trouble === null) {
    return {
      blocked: false,
      because: [`it is its turn, at ${ticket.step.name}`],
      next,
      unblock: landing(ticket.id, "does that now"),
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
