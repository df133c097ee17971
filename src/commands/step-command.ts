import { ExitCode } from "../lib/domain/error.ts";
import type { StepCommand } from "../lib/domain/step.ts";
import { stepCommands } from "../lib/domain/step.ts";
import type { Progress, Ticket } from "../lib/domain/ticket.ts";
import type { RunListener, StepReport } from "../lib/engine/engine.ts";
import { complain, underCron } from "../lib/host/complaints.ts";
import { ticketNumber } from "./arguments.ts";
import type { CommandContext } from "./context.ts";
import type { CommandModule } from "./command.ts";

/** The command of one step: works on one ticket at it, and exits. */
export function stepCommand(name: StepCommand): CommandModule {
  const entry = stepCommands.find(({ command }) => command === name);
  if (entry === undefined) throw new RangeError(name);
  return {
    define(command, makeContext) {
      command
        .option(
          "--ticket <number>",
          "work on this ticket alone (default: the oldest ready one)",
          ticketNumber,
        )
        .addHelpText(
          "after",
          `\nExamples:\n  ubuntu-ci ${name}\n  ubuntu-ci ${name} --ticket 7 -v 3`,
        )
        .action(async (options: { ticket?: number }) => {
          const context = await makeContext();
          const { mayHaveWork } = await import("./may-have-work.ts");
          if (!(await mayHaveWork(context, [entry.code], options.ticket))) {
            context.say(`${name}: nothing to do`);
            context.result("", { plan: null, runs: [] });
            return;
          }
          const { workOnStep } = await import("./step-work.ts");
          if (context.options.dryRun === true)
            await workOnStep(context, entry.code, options.ticket);
          else {
            const { changing } = await import("./changing.ts");
            await changing(
              context,
              name,
              () => workOnStep(context, entry.code, options.ticket),
              { slots: context.config.get("concurrency") },
            );
          }
        });
    },
  };
}

/** Plain lines about a run, for pipes, cron and verbosity 2. */
export function plainListener(context: CommandContext): RunListener {
  const last = new Map<number, string>();
  const several = context.config.get("concurrency") > 1;
  return {
    started: (ticket: Ticket, command: string) =>
      context.say(`ticket ${ticket.id}: ${command}`),
    progress: (
      ticket: number,
      { state, message, current, total }: Progress,
    ) => {
      const count =
        current !== null && total !== null ? ` ${current}/${total}` : "";
      const line = `ticket ${ticket}: ${state}${count} ${message}`;
      if (
        line !== last.get(ticket) &&
        (context.options.verbosity >= 3 || state !== "STATUS")
      )
        context.say(line);
      last.set(ticket, line);
    },
    note: (ticket: number, line: string) =>
      context.say(several ? `ticket ${ticket}: ${line}` : line),
  };
}

/**
 * Says that a run did not pass. Under cron only when that needs a person: a tool is missing, or our
 * infrastructure used up the ticket's retries. A package's failure is its owner's, who reads it in
 * the report; a temporary failure is tried again without anybody.
 */
export function tellFailure(
  report: StepReport,
  ticket: Ticket | undefined,
  line: string,
): void {
  if (
    underCron &&
    report.exitCode !== ExitCode.misconfigured &&
    report.exitCode !== ExitCode.bug &&
    ticket?.failure?.kind !== "infrastructure"
  )
    return;
  complain(`ubuntu-ci: ${line}`);
}

/** One line about how a run ended. */
export function reportLine(
  { ticket, outcome, reason, waiting, cancelled }: StepReport,
  name: string,
): string {
  if (cancelled) return `ticket ${ticket}: ${name} ended: ${reason ?? ""}`;
  const how = waiting ? "waits" : outcome;
  return `ticket ${ticket}: ${name} ${how}${reason === null ? "" : `: ${reason}`}`;
}
