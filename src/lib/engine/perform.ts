import { cancelledInWords } from "../domain/cancel.ts";
import {
  ExitCode,
  messageOf,
  notNow,
  troubleOfMachine,
  UbuntuCiError,
} from "../domain/error.ts";
import { isOverdue, pendingInWords } from "../domain/pending.ts";
import { commandOf, workAt } from "../domain/step.ts";
import type { Outcome, Ticket } from "../domain/ticket.ts";
import { now } from "../host/clock.ts";
import { adviceText } from "../host/command-line.ts";
import { cancellationOf } from "../state/cancellation.ts";
import type { Connection } from "../state/database.ts";
import type { Lease } from "../state/leases.ts";
import { markSubticket, renewLease, reserveForLease } from "../state/leases.ts";
import { nameJob } from "../state/jobs.ts";
import { jobOf } from "../state/open-jobs.ts";
import { listPpas } from "../state/ppas.ts";
import type { RunEnd } from "../state/run-products.ts";
import { recordStart } from "../state/runs.ts";
import { findTicket } from "../state/tickets.ts";
import type {
  StepContext,
  StepInput,
  StepResult,
} from "../steps/step-definition.ts";
import { remakeBase } from "./bases.ts";
import type { Engine, RunListener } from "./engine.ts";
import { submitter } from "./jobs.ts";
import { endOf } from "./results.ts";
import {
  definitions,
  missingFrom,
  passOver,
  planFor,
  stepInput,
} from "./step-input.ts";
import type { Remedy } from "../domain/remedy.ts";
import { advice, remedy, remedyIn } from "../domain/remedy.ts";

/** The result of a run before it is recorded. */
interface Performed {
  readonly end: RunEnd;
  readonly exitCode: ExitCode;
}

/** A run's scratch folder and its abort signals. */
interface Place {
  readonly scratch: string;
  readonly signal: AbortSignal;
  readonly limit: AbortSignal;
  readonly limitMs: number;
}

/** Does the work of a leased step; whatever happens, the result is an outcome. */
export async function perform(
  engine: Engine,
  lease: Lease,
  place: Place,
  listener: RunListener = {},
): Promise<Performed> {
  const { db, actor, backends } = engine;
  const { reservesPpa, publishes } = workAt(lease.step);
  if (reservesPpa === true && reserveForLease(db, lease, actor) === null)
    return waiting(poolInWords(db), ExitCode.notNow);
  const ticket = findTicket(db, lease.ticket);
  if (ticket === undefined)
    throw new RangeError(`ticket ${lease.ticket} is gone`);
  const work = contextOf(engine, lease, place, listener);
  const definition = definitions[lease.step];
  const settle = async (given: StepInput) =>
    (await definition.settle?.(given, backends, work)) ?? null;
  const readInput = () => stepInput(engine, ticket, () => place.scratch);
  try {
    const input = await readInput();
    if (ticket.cancelled !== null)
      return await ended(engine, lease, place, () => settle(input));
    // The ticket must not fail before it is known whether the archive has it.
    if (publishes === true && lease.tmpfails > engine.config.get("retry.limit"))
      return published(await settle(input)) ?? unpublished(ticket);
    recordStart(db, actor, lease);
    listener.started?.(ticket, commandOf(lease.step));
    const plan = await planFor(lease.step, input);
    listener.planned?.(plan);
    const over = passOver(lease.step, input);
    if (over !== null)
      return {
        end: {
          outcome: "passed",
          reason: over,
          findings: missingFrom(lease.step, input),
        },
        exitCode: ExitCode.ok,
      };
    const execute = async () => {
      // The plan was made for a job that no longer exists.
      const made = input.job === null ? plan : await definition.plan(input);
      if (made !== plan) listener.planned?.(made);
      await remakeBase(engine, lease.step, ticket, (line) => work.note(line));
      return definition.execute(made, input, backends, work);
    };
    const inDoubt = input.job !== null || lease.attempt > 1;
    const settled = inDoubt ? await settle(input) : null;
    const result = settled ?? (await execute());
    if (place.signal.aborted && result.outcome !== "passed")
      return await ended(engine, lease, place, () => settle(input), result);
    if (result.outcome === "pending")
      return pending(engine, lease, place, result);
    return {
      end: await endOf(engine, lease, result),
      exitCode: exitCodeOf(result.outcome),
    };
  } catch (thrown) {
    if (!place.signal.aborted) return troubleOf(thrown);
    try {
      return await ended(engine, lease, place, async () =>
        settle(await readInput()),
      );
    } catch (again) {
      return troubleOf(again);
    }
  }
}

function contextOf(
  engine: Engine,
  lease: Lease,
  { scratch, signal }: Place,
  listener: RunListener,
): StepContext {
  const { ticket } = lease;
  const { follow } = listener;
  return {
    scratch,
    signal,
    submit: submitter(engine, lease),
    workingOn: (subticket, isAtWork) =>
      markSubticket(engine.db, lease.run, subticket, isAtWork),
    progress(update) {
      // What was told to stop has not failed.
      if (signal.aborted && update.state === "FAILED") return;
      const progress = { ...update, at: now() };
      renewLease(engine.db, lease.run, progress);
      listener.progress?.(ticket, progress);
    },
    note: (line) => listener.note?.(ticket, line),
    ...(follow !== undefined && {
      follow: (logFile: string) => follow(ticket, logFile),
    }),
  };
}

/** Says what is wrong on this machine, where an error names no command that helps. */
const doctor = remedy("doctor");

/** The ticket waits for something; no retry is used up. */
function waiting(
  reason: string,
  exitCode: ExitCode,
  remedy: Remedy | null = null,
): Performed {
  return {
    end: { outcome: "tmpfail", reason, waitFor: reason, remedy },
    exitCode,
  };
}

/** A job is still running; the step's time limit covers the whole job. */
function pending(
  { db }: Engine,
  { ticket }: Lease,
  { limitMs }: Place,
  { job: id, lookAgainAt }: StepResult & { outcome: "pending" },
): Performed {
  const job = jobOf(db, ticket);
  if (job === null) throw notNow(`job ${id} is not waited for any more`);
  // The run that submitted the job was killed before it could record its name.
  if (job.id === null) nameJob(db, { ...job, id });
  if (isOverdue(limitMs, job.began_at, Date.now()))
    return {
      end: { outcome: "tmpfail", reason: tooLong(limitMs), job: "dropped" },
      exitCode: ExitCode.notNow,
    };
  const limitAt = new Date(Date.parse(job.began_at) + limitMs).toISOString();
  const at = lookAgainAt < limitAt ? lookAgainAt : limitAt;
  const words = { job: id, of: job.remote, look_again_at: at };
  return {
    end: { outcome: "pending", reason: pendingInWords(words), lookAgainAt: at },
    exitCode: ExitCode.notNow,
  };
}

/** The archive's record of an earlier publication of the ticket, or undefined. */
function published(
  found: StepResult | null,
  words = "",
): Performed | undefined {
  if (found?.outcome !== "passed" || found.published === undefined)
    return undefined;
  return {
    end: {
      outcome: "passed",
      reason: `${found.reason ?? ""}${words}`,
      published: found.published,
    },
    exitCode: ExitCode.ok,
  };
}

/** The last retry is used up, and the archive confirms that no attempt published the ticket. */
function unpublished({ runs }: Ticket): Performed {
  const reason = runs.at(-2)?.reason ?? "it was not published";
  return {
    end: { outcome: "tmpfail", reason, unpublished: true },
    exitCode: ExitCode.notNow,
  };
}

/** The result of a run that was stopped: cancelled, timed out, or the program was asked to end. */
async function ended(
  engine: Engine,
  lease: Lease,
  { limit, limitMs }: Place,
  settle: () => Promise<StepResult | null>,
  result?: StepResult,
): Promise<Performed> {
  const cancelled = cancellationOf(engine.db, lease.ticket);
  const publishes = workAt(lease.step).publishes === true;
  if (cancelled !== null && publishes) {
    const there = published(await settle(), ", before it could be cancelled");
    if (there !== undefined) return there;
  }
  const isInterrupted = cancelled === null && !limit.aborted;
  const done = result?.outcome === "pending" ? undefined : result;
  const end = await endOf(engine, lease, {
    outcome: "tmpfail",
    reason: isInterrupted
      ? interruptedRun
      : cancelled !== null
        ? cancelledInWords(cancelled)
        : tooLong(limitMs),
    evidence: done?.evidence ?? null,
    files: done?.files.filter(({ type }) => type === "LOGS") ?? [],
  });
  // That is no failure: no retry is used up, and a job elsewhere goes on.
  if (isInterrupted)
    return {
      end: { ...end, waitFor: interruptedRun },
      exitCode: ExitCode.notNow,
    };
  return {
    end: {
      ...end,
      job: "dropped",
      // It was cancelled, and the archive was checked above.
      unpublished: cancelled !== null && publishes,
    },
    exitCode: ExitCode.notNow,
  };
}

const interruptedRun = "the run was interrupted";

function tooLong(limitMs: number): string {
  return `the step ran past its time limit of ${Math.round(limitMs / 60_000)} minutes`;
}

/** An exception is never the package's fault; when a person has to act, no retry is used up. */
function troubleOf(caught: unknown): Performed {
  const thrown = troubleOfMachine(caught) ?? caught;
  if (thrown instanceof UbuntuCiError) {
    const { hint = "", message } = thrown;
    const reason = hint === "" ? message : `${message} (${adviceText(hint)})`;
    const remedy = remedyIn(hint);
    if (thrown.setsAside !== undefined)
      return {
        end: {
          outcome: "tmpfail",
          reason: thrown.message,
          setAside: thrown.setsAside,
          remedy,
        },
        exitCode: thrown.exitCode,
      };
    if (thrown.exitCode === ExitCode.misconfigured)
      // A person has to act; `check` tells such a ticket by its remedy.
      return waiting(reason, ExitCode.misconfigured, remedy ?? doctor);
    return {
      end: { outcome: "tmpfail", reason, remedy },
      exitCode: ExitCode.notNow,
    };
  }
  const where =
    thrown instanceof Error ? (thrown.stack?.split("\n")[1]?.trim() ?? "") : "";
  return {
    end: {
      outcome: "tmpfail",
      reason: `a bug of ubuntu-ci: ${messageOf(thrown)} ${where}`.trim(),
    },
    exitCode: ExitCode.bug,
  };
}

function exitCodeOf(outcome: Outcome): ExitCode {
  switch (outcome) {
    case "passed":
      return ExitCode.ok;
    case "failed":
      return ExitCode.ticketFailed;
    case "tmpfail":
      return ExitCode.notNow;
  }
}

function poolInWords(db: Connection): string {
  const ppas = listPpas(db);
  if (ppas.length === 0)
    return adviceText(
      advice`no PPA is free: the pool is empty (${remedy("ppa populate")} fills it)`,
    );
  const states = (["reserved", "dirty", "cleaning"] as const).flatMap(
    (state) => {
      const count = ppas.filter((ppa) => ppa.state === state).length;
      return count === 0 ? [] : `${count} ${state}`;
    },
  );
  return `no PPA is free: ${states.join(", ")}`;
}
