import { messageOf, refused } from "../../lib/domain/error.ts";
import type { HealthReport } from "../../lib/domain/health.ts";
import {
  healthCodes,
  nagiosLine,
  prometheusText,
  unknownLine,
} from "../../lib/domain/health.ts";
import type { TicketCounts } from "../../lib/upkeep/check.ts";
import { printLine, printText } from "../../lib/host/output.ts";
import type { CommandContext } from "../../cli/context.ts";
import { pathArgument } from "../../cli/arguments.ts";
import type { CommandModule } from "../../cli/command.ts";

type Found =
  | { readonly report: HealthReport; readonly tickets: TicketCounts }
  | { readonly report: null; readonly why: string };

export const command: CommandModule = {
  define(command, makeContext) {
    command
      .option(
        "--prometheus [file]",
        "write the figures for node_exporter's textfile collector, whole or not at all (default: the line; without a file: standard output)",
      )
      .addHelpText(
        "after",
        `
The line, its exit code (0 ok, 1 warning, 2 critical, 3 unknown) and the figures behind it are those
of a Nagios plugin. \`ubuntu-ci config\` lists the thresholds, check.* and two more.

Examples:
  ubuntu-ci check
  ubuntu-ci check --prometheus /var/lib/prometheus/node-exporter/ubuntu-ci.prom`,
      )
      .action(async (options: { prometheus?: string | true }) => {
        let context: CommandContext;
        try {
          context = await makeContext();
        } catch (thrown) {
          // Monitoring knows no other code for "could not be found out".
          printLine("stdout", unknownLine(messageOf(thrown)));
          process.exitCode = healthCodes.unknown;
          return;
        }
        const { prometheus } = options;
        if (typeof prometheus === "string" && context.options.dryRun === true) {
          context.result(`write ${pathArgument(prometheus)}`, {
            file: prometheus,
          });
          return;
        }
        const found = await look(context);
        if (prometheus !== undefined) {
          await writeMetrics(found, prometheus);
          return;
        }
        const line =
          found.report === null
            ? unknownLine(found.why)
            : nagiosLine(found.report, context.text);
        const health = found.report?.health ?? "unknown";
        context.result(line, {
          health,
          line,
          checks: (found.report?.measures ?? []).map(
            ({ name, health: how, value, unit, warn, critical, words }) => ({
              name,
              health: how,
              value,
              unit,
              warn,
              critical,
              message: how === "ok" ? null : context.text(words),
            }),
          ),
        });
        context.exit(healthCodes[health]);
      });
  },
};

async function look({ paths, config }: CommandContext): Promise<Found> {
  try {
    const { openCurrentDatabase } = await import("../../lib/state/database.ts");
    const { checkHealth } = await import("../../lib/upkeep/check.ts");
    const db = openCurrentDatabase(paths.database);
    if (db === undefined)
      throw refused(
        `${paths.database} is not there, or of another version of ubuntu-ci`,
      );
    return await checkHealth({ db, paths, config });
  } catch (thrown) {
    return { report: null, why: messageOf(thrown) };
  }
}

/** Prometheus judges by what is in the file: to have written it is all that counts. */
async function writeMetrics(
  found: Found,
  prometheus: string | true,
): Promise<void> {
  const text = prometheusText(
    found.report,
    found.report === null ? [] : found.tickets,
  );
  if (prometheus === true) {
    printText("stdout", text);
    return;
  }
  // The collector runs as another user.
  const { writePublicFile } = await import("../../lib/files/public-files.ts");
  await writePublicFile(pathArgument(prometheus), text);
}
