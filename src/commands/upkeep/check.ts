import {
  ExitCode,
  messageOf,
  refused,
  troubleOfMachine,
  UbuntuCiError,
} from "../../lib/domain/error.ts";
import type { HealthReport } from "../../lib/domain/health.ts";
import {
  healthCodes,
  headOf,
  nagiosLine,
  prometheusText,
  unknownLine,
} from "../../lib/domain/health.ts";
import type { TicketCounts } from "../../lib/upkeep/check.ts";
import { adviceText } from "../../lib/host/command-line.ts";
import { printText } from "../../lib/host/output.ts";
import type { CommandContext } from "../../cli/context.ts";
import { pathArgument } from "../../cli/arguments.ts";
import type { Command } from "../../cli/command.ts";
import type { Plan } from "../../lib/domain/plan.ts";

type Found =
  | { readonly report: HealthReport; readonly tickets: TicketCounts }
  | {
      readonly report: null;
      readonly health: "critical" | "unknown";
      readonly why: string;
    };

interface MetricsPlan extends Plan {
  readonly file: string;
}

export const command: Command<{ prometheus?: string | true }, MetricsPlan> = {
  state: "optional",
  changes: true,
  // Monitoring has to work in maintenance, too.
  inMaintenance: true,
  onlyReads: ({ prometheus }) => typeof prometheus !== "string",
  define: (command) =>
    command.option(
      "--prometheus [file]",
      "write the figures for node_exporter's textfile collector, whole or not at all (default: the line; without a file: standard output)",
    ),
  examples: [
    "check",
    "check --prometheus /var/lib/prometheus/node-exporter/ubuntu-ci.prom",
  ],
  notes: `The line, its exit code (0 ok, 1 warning, 2 critical, 3 unknown) and the figures behind it are those
of a Nagios plugin. \`ubuntu-ci config\` lists the thresholds, check.* and two more.`,
  // To monitoring plugins, 3 means UNKNOWN.
  withoutContext(thrown) {
    const [first] = thrown instanceof UbuntuCiError ? thrown.problems : [];
    const where =
      first === undefined
        ? ""
        : `: ${first.field ?? first.where}: ${adviceText(first.message)}`;
    const line = unknownLine(`${messageOf(thrown)}${where}`);
    return {
      text: line,
      value: { health: "unknown", line, checks: [] },
      exitCode: healthCodes.unknown,
    };
  },
  plan: (_context, { prometheus }) => {
    const file = String(prometheus);
    const actions = [`write ${pathArgument(file)}`];
    return { command: "check", actions, file };
  },
  async run(context, { prometheus }) {
    const found = await look(context);
    if (prometheus !== undefined) {
      await writeMetrics(found, prometheus);
      return undefined;
    }
    const line =
      found.report === null
        ? headOf(found.health, found.why)
        : nagiosLine(found.report, context.text);
    const health = found.report === null ? found.health : found.report.health;
    const checks = (found.report?.measures ?? stateAlone(found)).map(
      ({ name, health: how, value, unit, warn, critical, words }) => ({
        name,
        health: how,
        value,
        unit,
        warn,
        critical,
        message: how === "ok" ? null : context.text(words),
      }),
    );
    return {
      text: line,
      value: { health, line, checks },
      exitCode: healthCodes[health],
    };
  },
};

async function look(context: CommandContext): Promise<Found> {
  const { paths, config } = context;
  const { requireSomeState, requireState } =
    await import("../../lib/locks/state-folder.ts");
  try {
    requireSomeState(paths);
  } catch (thrown) {
    return { report: null, health: "unknown", why: messageOf(thrown) };
  }
  try {
    requireState(paths);
    const { openCurrentDatabase } = await import("../../lib/state/database.ts");
    const { checkHealth } = await import("../../lib/upkeep/check.ts");
    const db = openCurrentDatabase(paths.database);
    if (db === undefined)
      throw refused(
        `${paths.database} is being restored, or of another version of ubuntu-ci`,
      );
    const { archive } = context.backends();
    return await checkHealth({ db, paths, config, archive });
  } catch (thrown) {
    const trouble = troubleOfMachine(thrown) ?? thrown;
    // A state that is damaged or cannot be read needs a person at once.
    const known =
      trouble instanceof UbuntuCiError && trouble.exitCode !== ExitCode.refused;
    const health = known ? "critical" : "unknown";
    return { report: null, health, why: messageOf(trouble) };
  }
}

/** The one figure that there is of a state that cannot be looked at. */
function stateAlone(found: Found): HealthReport["measures"] {
  if (found.report !== null || found.health === "unknown") return [];
  const { health, why: words } = found;
  const levels = { value: 1, warn: null, critical: 1, bad: "above" } as const;
  const help = "Whether the state can be used.";
  return [{ name: "state", help, unit: "", ...levels, words, health }];
}

/** Writes the metrics. The exit code is 0 whatever they say, because Prometheus judges them itself. */
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
  // node_exporter reads the file as another user.
  const { writePublicFile } = await import("../../lib/files/public-files.ts");
  await writePublicFile(pathArgument(prometheus), text);
}
