import { cancelledInWords } from "../domain/cancel.ts";
import type { RunContext } from "../backends/run-context.ts";
import {
  ExitCode,
  messageOf,
  troubleOfMachine,
  UbuntuCiError,
} from "../domain/error.ts";
import { commandOf } from "../domain/step.ts";
import type { Outcome, Ticket } from "../domain/ticket.ts";
import { now } from "../host/clock.ts";
import { adviceText } from "../host/command-line.ts";
import { cancellationOf } from "../state/cancellation.ts";
import type { Connection } from "../state/database.ts";
import type { Lease } from "../state/leases.ts";
import { renewLease, reserveForLease } from "../state/leases.ts";
import { listPpas } from "../state/ppas.ts";
import type { RunEnd } from "../state/runs.ts";
import { recordStart } from "../state/runs.ts";
import { findTicket } from "../state/tickets.ts";
import { publishedRevision } from "../steps/publish.ts";
import type { StepResult } from "../steps/step-definition.ts";
import type { Engine, RunListener } from "./engine.ts";
import { endOf } from "./results.ts";
import { definitions, passOver, planFor, stepInput } from "./step-input.ts";
import { advice, remedy } from "../domain/remedy.ts";

/** What a run came to, before it is recorded. */
interface Performed {
  readonly end: RunEnd;
  readonly exitCode: ExitCode;
}

/** Does a leased step's work: whatever happens meanwhile, it comes to an outcome. */
export async function perform(
  engine: Engine,
  lease: Lease,
  place: {
    readonly scratch: string;
    readonly signal: AbortSignal;
    readonly limit: AbortSignal;
    readonly limitMs: number;
  },
  listener: RunListener = {},
): Promise<Performed> {
  const { db, actor } = engine;
  if (lease.step === 100 && reserveForLease(db, lease, actor) === null) {
    const reason = poolInWords(db);
    return {
      end: { outcome: "tmpfail", reason, waitFor: reason },
      exitCode: ExitCode.notNow,
    };
  }
  const ticket = findTicket(db, lease.ticket);
  if (ticket === undefined)
    throw new RangeError(`ticket ${lease.ticket} is gone`);
  if (ticket.cancelled !== null) return ended(engine, lease, ticket, place);
  const { tmpfails, step } = lease;
  if (step === 500 && tmpfails > engine.config.get("retry.limit"))
    return lookUpPublication(engine, ticket);
  recordStart(db, actor, lease);
  listener.started?.(ticket, commandOf(lease.step));
  const { follow } = listener;
  const work: RunContext = {
    scratch: place.scratch,
    signal: place.signal,
    progress(update) {
      const progress = { ...update, at: now() };
      renewLease(db, lease.run, progress);
      listener.progress?.(ticket.id, progress);
    },
    note: (line) => listener.note?.(ticket.id, line),
    ...(follow !== undefined && {
      follow: (logFile: string) => follow(ticket.id, logFile),
    }),
  };
  try {
    const input = await stepInput(engine, ticket, () => place.scratch);
    const plan = await planFor(lease.step, input);
    listener.planned?.(plan);
    const over = passOver(lease.step, input);
    if (over !== null)
      return {
        end: { outcome: "passed", reason: over },
        exitCode: ExitCode.ok,
      };
    const result = await definitions[lease.step].execute(
      plan,
      input,
      engine.backends,
      work,
    );
    if (place.signal.aborted && result.outcome !== "passed")
      return await ended(engine, lease, ticket, place, result);
    return {
      end: await endOf(engine, lease, result),
      exitCode: exitCodeOf(result.outcome),
    };
  } catch (thrown) {
    if (place.signal.aborted) return await ended(engine, lease, ticket, place);
    return troubleOf(thrown);
  }
}

/** After the last retry: whether one of the attempts has published the ticket, though it did not say so. */
async function lookUpPublication(
  { backends }: Engine,
  { id, runs }: Ticket,
): Promise<Performed> {
  try {
    const archive = await backends.archive();
    const found = (await archive.revisions()).find(
      ({ ticket }) => ticket === id,
    );
    if (found === undefined) {
      const reason = runs.at(-2)?.reason ?? "it was not published";
      return {
        end: { outcome: "tmpfail", reason, unpublished: true },
        exitCode: ExitCode.notNow,
      };
    }
    const { revision, created_at } = found;
    return {
      end: {
        outcome: "passed",
        reason: `archive revision ${revision}`,
        published: { revision, created_at },
      },
      exitCode: ExitCode.ok,
    };
  } catch (thrown) {
    return troubleOf(thrown);
  }
}

/** What a run came to that was ended from outside: cancelled, its time limit, or we were asked to stop. */
async function ended(
  engine: Engine,
  lease: Lease,
  ticket: Ticket,
  { limit, limitMs }: { readonly limit: AbortSignal; readonly limitMs: number },
  result?: StepResult,
): Promise<Performed> {
  const cancelled = cancellationOf(engine.db, ticket.id);
  if (cancelled !== null && lease.step === 500) {
    const published = await publishedRevision(ticket, engine.backends);
    if (published !== null)
      return {
        end: {
          outcome: "passed",
          reason: `archive revision ${published.revision}, before it could be cancelled`,
          published,
        },
        exitCode: ExitCode.ok,
      };
  }
  if (cancelled === null && !limit.aborted) {
    const reason = "the run was interrupted";
    return {
      end: { outcome: "tmpfail", reason, waitFor: reason },
      exitCode: ExitCode.notNow,
    };
  }
  const logs = result?.files.filter(({ type }) => type === "LOGS") ?? [];
  const end = await endOf(engine, lease, {
    outcome: "tmpfail",
    reason:
      cancelled !== null
        ? cancelledInWords(cancelled)
        : `the step ran past its time limit of ${Math.round(limitMs / 60_000)} minutes`,
    evidence: result?.evidence ?? null,
    files: logs,
  });
  // It was cancelled, and the archive was looked into above.
  const unpublished = cancelled !== null && lease.step === 500;
  return { end: { ...end, unpublished }, exitCode: ExitCode.notNow };
}

/** An error is never the package's fault; one that needs a person costs the ticket no retry. */
function troubleOf(caught: unknown): Performed {
  const thrown = troubleOfMachine(caught) ?? caught;
  if (thrown instanceof UbuntuCiError) {
    const reason =
      thrown.hint === undefined
        ? thrown.message
        : `${thrown.message} (${adviceText(thrown.hint)})`;
    if (thrown.exitCode === ExitCode.misconfigured) {
      return {
        end: { outcome: "tmpfail", reason, waitFor: reason },
        exitCode: ExitCode.misconfigured,
      };
    }
    return { end: { outcome: "tmpfail", reason }, exitCode: ExitCode.notNow };
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
