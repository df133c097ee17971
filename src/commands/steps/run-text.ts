import { ExitCode, messageOf } from "../../lib/domain/error.ts";
import { oneLine, outputLine } from "../../lib/domain/shown-text.ts";
import { commandOf } from "../../lib/domain/step.ts";
import type { Progress, Ticket } from "../../lib/domain/ticket.ts";
import type {
  Engine,
  RunListener,
  StepReport,
} from "../../lib/engine/engine.ts";
import { warnPerson, underCron } from "../../lib/host/cron-mail.ts";
import type { CommandContext } from "../../cli/context.ts";
import { countFirst } from "../../lib/domain/progress.ts";
import { findTicket } from "../../lib/state/tickets.ts";

/** Narrates a run in plain lines, for pipes, cron and verbosity 2. */
export function plainListener(context: CommandContext): RunListener {
  const last = new Map<number, string>();
  const several = context.config.get("concurrency") > 1;
  const say = (ticket: number, line: string) =>
    context.say(several ? `ticket ${ticket}: ${line}` : line);
  return {
    started: (ticket: Ticket, command: string) =>
      context.say(`ticket ${ticket.id}: ${command}`),
    progress: (ticket: number, progress: Progress) => {
      const { state } = progress;
      const line = `ticket ${ticket}: ${state} ${countFirst(progress)}`;
      if (
        line !== last.get(ticket) &&
        (context.options.verbosity >= 3 || state !== "STATUS")
      )
        context.say(line);
      last.set(ticket, line);
    },
    note: say,
    ...(context.options.verbosity >= 3 && {
      follow: (ticket: number, logFile: string) =>
        followLog(logFile, (line) => say(ticket, outputLine(line))),
    }),
  };
}

/** Prints a log file line by line as it grows. The returned function stops that, after the last line. */
export function followLog(
  logFile: string,
  tell: (line: string) => void,
): () => Promise<void> {
  const whole = new AbortController();
  const told = (async () => {
    const { growingLines } = await import("../../lib/files/follow-file.ts");
    for await (const line of growingLines(logFile, whole.signal)) tell(line);
  })().catch((thrown: unknown) =>
    tell(`the log cannot be shown: ${messageOf(thrown)}`),
  );
  return () => {
    whole.abort();
    return told;
  };
}

/** Tells how a run ended: what passed, and what a signal stopped, as narration; the rest to somebody. */
export function tellEnd(
  context: CommandContext,
  { db }: Engine,
  report: StepReport,
): void {
  const line = reportLine(report, commandOf(report.step));
  if (isGood(report) || (context.signal.aborted && report.waiting))
    context.say(line);
  else tellFailure(report, findTicket(db, report.ticket), line);
}

/**
 * Reports a run that did not pass. Under cron only when a person has to act: a tool is missing, or
 * infrastructure failures used up the retries, or a ticket was set aside. Package failures are in the report for their owners, and
 * temporary ones are retried.
 */
function tellFailure(
  report: StepReport,
  ticket: Ticket | undefined,
  line: string,
): void {
  if (
    underCron &&
    report.exitCode !== ExitCode.misconfigured &&
    report.exitCode !== ExitCode.bug &&
    report.outcome !== "set-aside" &&
    ticket?.failure?.kind !== "infrastructure"
  )
    return;
  warnPerson(`ubuntu-ci: ${oneLine(line)}`);
}

/** Whether a run needs no attention: a pending job is not a failure. */
export function isGood({ outcome }: StepReport): boolean {
  return outcome === "passed" || outcome === "pending";
}

/** One line on how a run ended. */
function reportLine(
  { ticket, outcome, reason, waiting, cancelled }: StepReport,
  name: string,
): string {
  if (cancelled) return `ticket ${ticket}: ${name} ended: ${reason ?? ""}`;
  if (outcome === "set-aside")
    return `ticket ${ticket}: set aside at ${name}: ${reason ?? ""}`;
  const how = waiting && outcome !== "pending" ? "waits" : outcome;
  return `ticket ${ticket}: ${name} ${how}${reason === null ? "" : `: ${reason}`}`;
}
