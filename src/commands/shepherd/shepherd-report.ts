import { join } from "node:path";

import { pathArgument } from "../../cli/arguments.ts";
import { misconfigured } from "../../lib/domain/error.ts";
import type { Command } from "../../cli/command.ts";
import type { CommandContext } from "../../cli/context.ts";
import { readMaintenance } from "../../lib/locks/maintenance.ts";
import type { Plan } from "../../lib/domain/plan.ts";

interface ReportPlan extends Plan {
  /** The folder to write, absolute. */
  readonly output: string;
  /** rsync target, or null. */
  readonly target: string | null;
}

export const command: Command<
  { output?: string; rsync?: boolean; all?: boolean },
  ReportPlan
> = {
  changes: true,
  // The report has to show that maintenance is on.
  inMaintenance: true,
  whenInterrupted:
    "pages that were written stay; the next report does the rest",
  locks: [{ name: "shepherd-report" }],
  define: (command) =>
    command
      .option(
        "--output <dir>",
        "folder to write (default: STATE/report)",
        pathArgument,
      )
      .option(
        "--rsync",
        "send it to `report.rsyncTarget` afterwards (default: where that is set, and --output is not given)",
      )
      .option(
        "--all",
        "go through every page (default: those of what has changed)",
      ),
  examples: ["shepherd-report", "shepherd-report --output /srv/www/ci --rsync"],
  async nothingToDo(context, options) {
    const { output = context.paths.report, rsync, all } = options;
    if (all === true) return undefined;
    const target = targetOf(context, { output: options.output, rsync });
    if (target !== null) {
      const { isSent } = await import("../../lib/shepherd/send-report.ts");
      if (!isSent(context.paths, output, target)) return undefined;
    }
    // A branch goes on without an event here.
    if (context.config.get("shepherd.source") === "git") return undefined;
    const { isUpToDate } =
      await import("../../lib/shepherd/report-up-to-date.ts");
    if (!isUpToDate(context, output)) return undefined;
    await markReported(context);
    const index = join(output, "index.html");
    return { text: index, value: { index, written: 0, unchanged: 0 } };
  },
  plan(context, options) {
    const { output = context.paths.report } = options;
    const target = targetOf(context, options);
    return {
      command: "shepherd-report",
      actions: [
        `write the report to ${output}`,
        ...(target === null ? [] : [`rsync it to ${target}`]),
      ],
      output,
      target,
    };
  },
  async run(context, { all }, plan) {
    const { output, target } = await plan();
    const { writeStateReport } =
      await import("../../lib/shepherd/state-report.ts");
    const { paths, actor, signal } = context;
    const inMaintenance = readMaintenance(paths.maintenance) !== null;
    const db = inMaintenance ? null : await context.db();
    if (db !== null) {
      const { noteLandings } =
        await import("../../lib/tickets/local-landings.ts");
      await noteLandings({ ...context, db });
    }
    const { written, unchanged } = await writeStateReport(
      context,
      output,
      all === true,
      signal,
    );
    signal.throwIfAborted();
    if (target !== null) {
      const { sendReport } = await import("../../lib/shepherd/send-report.ts");
      await sendReport(paths, output, target, { db, actor }, signal);
    }
    await markReported(context);
    const index = join(output, "index.html");
    return { text: index, value: { index, written, unchanged } };
  },
};

/** Records when the report was last made: unchanged pages are not rewritten and so do not tell. */
async function markReported({ paths }: CommandContext): Promise<void> {
  const { markDone } = await import("../../lib/host/last-done.ts");
  await markDone(paths.run, "shepherd-report");
}

/** Where the report is sent to, or null. @throws UbuntuCiError (78) when it should be, and no target is set */
function targetOf(
  { config }: CommandContext,
  {
    output,
    rsync,
  }: { output?: string | undefined; rsync?: boolean | undefined },
): string | null {
  const target = config.get("report.rsyncTarget");
  if (rsync === true && target === null)
    throw misconfigured(
      "no rsync target is configured",
      "set `report.rsyncTarget`",
    );
  return rsync === true || output === undefined ? target : null;
}
