import { join } from "node:path";

import { pathArgument } from "../../cli/arguments.ts";
import { withCommandLock } from "../../cli/with-command-lock.ts";
import { misconfigured } from "../../lib/domain/error.ts";
import type { CommandModule } from "../../cli/command.ts";
import { showPlan } from "../../cli/plan-text.ts";

interface ReportOptions {
  readonly output?: string;
  readonly rsync?: boolean;
  readonly all?: boolean;
}

export const command: CommandModule = {
  define(command, makeContext) {
    command
      .option(
        "--output <dir>",
        "folder to write (default: STATE/report)",
        pathArgument,
      )
      .option(
        "--rsync",
        "send it to `report.rsyncTarget` afterwards (default: no)",
      )
      .option(
        "--all",
        "go through every page (default: those of what has changed)",
      )
      .addHelpText(
        "after",
        "\nExamples:\n  ubuntu-ci shepherd-report\n  ubuntu-ci shepherd-report --output /srv/www/ci --rsync",
      )
      .action(async (options: ReportOptions) => {
        const context = await makeContext();
        const output = options.output ?? context.paths.report;
        const target = context.config.get("report.rsyncTarget");
        if (options.rsync === true && target === null)
          throw misconfigured(
            "no rsync target is configured",
            "set `report.rsyncTarget`",
          );
        if (context.options.dryRun === true) {
          showPlan(context, {
            command: "shepherd-report",
            actions: [
              `write the report to ${output}`,
              ...(options.rsync === true
                ? [`rsync it to ${target ?? ""}`]
                : []),
            ],
          });
          return;
        }
        const { markDone } = await import("../../lib/host/last-done.ts");
        if (options.rsync !== true && options.all !== true) {
          const { isUpToDate } = await import("./report-basis.ts");
          if (isUpToDate(context, output)) {
            await markDone(context.paths.run, "shepherd-report");
            const index = join(output, "index.html");
            context.result(index, { index, written: 0, unchanged: 0 });
            return;
          }
        }
        const { writeStateReport, sendReport } =
          await import("./report-work.ts");
        const written = await withCommandLock(
          context,
          "shepherd-report",
          async () => {
            const report = await writeStateReport(
              context,
              output,
              options.all === true,
            );
            if (options.rsync === true && target !== null)
              await sendReport(output, target);
            // Pages that did not change are not written: they do not tell when this was.
            await markDone(context.paths.run, "shepherd-report");
            return report;
          },
          { inMaintenance: true },
        );
        context.result(written.index, written);
      });
  },
};
