import type { UbuntuCiError } from "./error.ts";
import { needsRepair, refused } from "./error.ts";
import type { Step, WorkStepCode } from "./step.ts";
import { ignoring } from "./override.ts";
import {
  comesAfter,
  commandOf,
  completeStep,
  firstOf,
  hasEnded,
  imageStep,
  lastOf,
  packagesStep,
  publishStep,
  queueStep,
  stepOf,
  workAt,
  workStep,
} from "./step.ts";
import type { Ticket } from "./ticket.ts";
import type { TicketPlan } from "./plan.ts";
import { advice, remedy } from "./remedy.ts";

/** How temporary failures are retried: how often, and the first delay in seconds, which doubles each time. */
export interface RetryPolicy {
  readonly limit: number;
  readonly firstDelaySeconds: number;
}

/** Upper limit of the delay: a day. */
const longestDelaySeconds = 86_400;
export const longestDelayMs = longestDelaySeconds * 1000;

/** Seconds to wait after a number of consecutive temporary failures, from 1. */
export function retryDelaySeconds(
  policy: RetryPolicy,
  failures: number,
): number {
  return Math.min(
    policy.firstDelaySeconds * 2 ** (failures - 1),
    longestDelaySeconds,
  );
}

/**
 * The range of times, ISO 8601, in which a planned retry is not due yet. A time further in the future than
 * the longest delay was written when the clock was wrong, so that retry is due.
 */
export function notYetDue(nowMs: number): { after: string; until: string } {
  return {
    after: new Date(nowMs).toISOString(),
    until: new Date(nowMs + longestDelayMs).toISOString(),
  };
}

/** Whether a retry planned for that time (ISO 8601; null: none planned) may start now. */
export function isDue(retryAt: string | null, nowMs: number): boolean {
  const { after, until } = notYetDue(nowMs);
  return retryAt === null || retryAt <= after || retryAt > until;
}

/** Which results of earlier runs still exist, on which later steps depend. */
export interface Kept {
  /** Names of files that the state records but the data store has lost. */
  readonly missing: readonly string[];
  /** The uploaded source packages. */
  readonly sources: boolean;
  /** The packages built from them. */
  readonly results: boolean;
  /** The image and all its layers. */
  readonly image: boolean;
}

export interface RetryPlan extends TicketPlan {
  /** The step at which the ticket continues once it has a PPA again; null: only its planned retry becomes due. */
  readonly resume: WorkStepCode | null;
  /** What was done once it is, as the rest of a sentence that begins with the ticket. */
  readonly done: string;
}

/**
 * Plans how a ticket is retried. One that failed, was cancelled or was set aside gets a PPA and continues
 * at the step it had reached, or an earlier one. For one that waits for a retry, that is due at once.
 *
 * @param from the step to continue at, if the user chose one
 * @param obstacles reasons why the archive or another ticket prevents a retry
 * @throws UbuntuCiError (2) saying why the ticket cannot be retried, and what to do instead
 */
export function planRetry(
  ticket: Ticket,
  from: Step | undefined,
  kept: Kept,
  obstacles: readonly string[],
): RetryPlan {
  const { id } = ticket;
  const aside = ticket.set_aside !== null;
  if (!aside && !hasEnded(ticket.step.code)) return planDue(ticket, from);
  if (ticket.step.code === completeStep)
    throw refused(
      `ticket ${id} is complete: there is nothing to retry`,
      "a new version needs a new ticket",
    );
  if (obstacles.length > 0)
    throw refused(`ticket ${id} cannot be retried: ${obstacles.join("; ")}`);
  if (kept.missing.length > 0) throw filesMissing(ticket, kept.missing);
  if (!kept.sources)
    throw refused(
      `ticket ${id} cannot be retried: its source packages are gone from the data store`,
      "upload them again, as a new ticket",
    );
  const reached = furthestStep(ticket);
  const wanted = from === undefined ? reached : workStep(from.code)?.code;
  if (wanted === undefined || comesAfter(wanted, reached))
    throw tooFar(ticket, reached, from ?? stepOf(reached));
  const possible = !kept.results
    ? packagesStep
    : !kept.image
      ? imageStep
      : publishStep;
  const missing =
    possible === packagesStep ? "its built packages are" : "its image is";
  // A step that the user chose is refused; otherwise the ticket goes back to the step that makes what is missing.
  if (from !== undefined && comesAfter(wanted, possible)) {
    throw refused(
      `ticket ${id} cannot go on at ${from.name}: ${missing} gone from the data store`,
      remedy("retry", [id], { from: commandOf(possible) }),
    );
  }
  const resume = firstOf(wanted, possible);
  const why = resume === wanted ? "" : `, because ${missing} gone`;
  return {
    resume,
    ticket: id,
    command: "retry",
    actions: [
      "queue the ticket for a PPA",
      ...(comesAfter(resume, packagesStep)
        ? ["fill the PPA with what was built before"]
        : []),
      `go on at ${stepOf(resume).name} (${commandOf(resume)})${why}`,
    ],
    done: `is queued again, to go on at ${stepOf(resume).name} (${commandOf(resume)})${why}`,
  };
}

/** The furthest step that an ended ticket had reached. */
function furthestStep(ticket: Ticket): WorkStepCode {
  const reached = [
    ticket.failure?.step,
    ticket.resume_step,
    ticket.set_aside === null ? null : ticket.step,
  ];
  return lastOf(
    queueStep,
    ...reached.flatMap((step) => {
      const work = step == null ? undefined : workStep(step.code);
      return work === undefined ? [] : [work.code];
    }),
  );
}

function planDue(ticket: Ticket, from: Step | undefined): RetryPlan {
  const { id, status, step } = ticket;
  if (status === "running")
    throw refused(`ticket ${id} is being worked on (${step.name})`);
  if (status === "held" || status === "draft")
    throw refused(
      `ticket ${id} is ${status === "held" ? "held" : "a draft"}`,
      remedy("update_ticket", [id], { queue: true }),
    );
  const due = ticket.retry_at ?? ticket.pending?.look_again_at ?? null;
  if (due === null)
    throw refused(
      `ticket ${id} has not failed: it waits at ${step.name}${ticket.waiting_for === null ? "" : ` (${ticket.waiting_for})`}`,
      advice`${remedy("explain", [id])} says for what`,
    );
  if (from !== undefined && from.code !== step.code)
    throw refused(
      `ticket ${id} is at ${step.name} and waits for ${ticket.pending === null ? "its next attempt" : "its job"}`,
      advice`${remedy("retry", [id])}, or ${remedy("cancel", [id])} first, to go back to another step`,
    );
  const next =
    ticket.pending === null
      ? `attempt at ${step.name}`
      : `look at job ${ticket.pending.job} of ${ticket.pending.of}`;
  return {
    resume: null,
    ticket: id,
    command: "retry",
    actions: [`make the next ${next} due at once, not at ${due}`],
    done: `goes on: the next ${next} is due at once, not at ${due}`,
  };
}

/** The error for files that are missing although they have not expired: only a person can restore them. */
export function filesMissing(
  { id }: Ticket,
  missing: readonly string[],
): UbuntuCiError {
  const more = missing.length - 3;
  return needsRepair(
    `files of ticket ${id} are missing from the data store, or have another size: ${missing.slice(0, 3).join(", ")}${more > 0 ? ` and ${more} more` : ""}`,
    advice`bring them back from a backup (${remedy("restore", ["FILE"])}), or upload the sources again as a new ticket and ${remedy("cancel", [id])}`,
  );
}

function tooFar(ticket: Ticket, reached: WorkStepCode, wanted: Step): Error {
  const message = `ticket ${ticket.id} ${ticket.set_aside !== null ? "was set aside" : ticket.cancelled === null ? "failed" : "was cancelled"} at ${stepOf(reached).name} (${commandOf(reached)}): it cannot go on at ${wanted.name}, which comes later`;
  const retry = remedy("retry", [ticket.id]);
  return refused(
    message,
    workAt(reached).mayBeIgnored === true
      ? advice`${ignoring(ticket, "step", commandOf(reached))}, then ${retry}`
      : retry,
  );
}
