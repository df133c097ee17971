import type { Advice } from "./remedy.ts";

/** Health levels with their exit codes in the Nagios plugin interface. */
export const healthCodes = {
  ok: 0,
  warning: 1,
  critical: 2,
  unknown: 3,
} as const;

export type Health = keyof typeof healthCodes;

/** A monitored value with its thresholds. */
export interface Measure {
  /** Lower case with underscores: label of the performance data, and part of the metric's name. */
  readonly name: string;
  /** Help text of the metric. */
  readonly help: string;
  /** Seconds, bytes, per cent, or a count. */
  readonly unit: "s" | "B" | "%" | "";
  /** Null where the measure does not apply, such as the age of maintenance that is off. */
  readonly value: number | null;
  /** Thresholds; null: none. */
  readonly warn: number | null;
  readonly critical: number | null;
  /** Whether values are bad from the threshold upwards, or below it. */
  readonly bad: "above" | "below";
  readonly max?: number;
  /** The value in words, for the line of the plugin when it is bad. */
  readonly words: Advice;
}

/** The result of a check. */
export interface HealthReport {
  readonly health: Health;
  readonly measures: readonly (Measure & { readonly health: Health })[];
  /** What was checked, in words, for when all is well. */
  readonly summary: string;
}

function judge({ value, warn, critical, bad }: Measure): Health {
  if (value === null) return "ok";
  const beyond = (threshold: number | null) =>
    threshold !== null &&
    (bad === "above" ? value >= threshold : value < threshold);
  if (beyond(critical)) return "critical";
  return beyond(warn) ? "warning" : "ok";
}

/** Judges every measure; the worst determines the overall health. */
export function judgeAll(
  measures: readonly Measure[],
  summary: string,
): HealthReport {
  const judged = measures.map((measure) => ({
    ...measure,
    health: judge(measure),
  }));
  const has = (health: Health) =>
    judged.some((measure) => measure.health === health);
  return {
    health: has("critical") ? "critical" : has("warning") ? "warning" : "ok",
    measures: judged,
    summary,
  };
}

/**
 * The output line of a Nagios plugin: what is bad, the worst first, and the performance data.
 *
 * @param write turns advice into text
 */
export function nagiosLine(
  { health, measures, summary }: HealthReport,
  write: (words: Advice) => string,
): string {
  const bad = (["critical", "warning"] as const).flatMap((level) =>
    measures.filter((measure) => measure.health === level),
  );
  const words =
    bad.length === 0
      ? summary
      : bad.map(({ words: said }) => write(said)).join("; ");
  const figures = measures.flatMap((measure) => {
    const { name, value, unit, warn, critical, max } = measure;
    if (value === null) return [];
    const bounds = [
      range(measure, warn),
      range(measure, critical),
      "0",
      ...(max === undefined ? [] : [max]),
    ];
    return [`'${name}'=${value}${unit};${bounds.join(";")}`];
  });
  return `${headOf(health, words)}${figures.length === 0 ? "" : ` | ${figures.join(" ")}`}`;
}

/**
 * The line without figures, for when none could be found out. A bar begins the performance data, so the text before it may have neither a bar nor a line
 * break.
 */
export function headOf(health: Health, words: string): string {
  return `UBUNTU-CI ${health.toUpperCase()} - ${words.replaceAll("|", "/").replaceAll(/\s+/g, " ").trim()}`;
}

/** The line when nothing could be found out. */
export function unknownLine(why: string): string {
  return headOf("unknown", why);
}

/** Monitoring Plugins, threshold ranges: `N` alarms above N, `N:` below it. Counts are whole. */
function range({ bad, unit }: Measure, threshold: number | null): string {
  if (threshold === null) return "";
  if (bad === "below") return `${threshold}:`;
  return String(unit === "" ? threshold - 1 : threshold);
}

const metricUnits = { s: "_seconds", B: "_bytes", "%": "_percent", "": "" };

/**
 * The measures in the text format of Prometheus. Measures that do not apply are left out.
 *
 * @param report null when the check could not be made
 * @param tickets numbers of unfinished tickets by step and status
 */
export function prometheusText(
  report: HealthReport | null,
  tickets: readonly {
    readonly step: number;
    readonly status: string;
    readonly count: number;
  }[],
): string {
  const lines: string[] = [];
  const metric = (
    name: string,
    help: string,
    samples: readonly (readonly [string, number])[],
  ) => {
    if (samples.length === 0) return;
    lines.push(
      `# HELP ubuntu_ci_${name} ${help}`,
      `# TYPE ubuntu_ci_${name} gauge`,
      ...samples.map(
        ([labels, value]) => `ubuntu_ci_${name}${labels} ${value}`,
      ),
    );
  };
  metric("up", "Whether the state could be looked at.", [
    ["", report === null ? 0 : 1],
  ]);
  for (const { name, help, unit, value, max } of report?.measures ?? []) {
    if (value === null) continue;
    metric(`${name}${metricUnits[unit]}`, help, [["", value]]);
    if (max !== undefined)
      metric(`${name}${metricUnits[unit]}_max`, `${help} All there is.`, [
        ["", max],
      ]);
  }
  metric(
    "health",
    "How the worst figure is: 0 ok, 1 warning, 2 critical.",
    (report?.measures ?? []).map(({ name, health }) => [
      `{check="${name}"}`,
      healthCodes[health],
    ]),
  );
  metric(
    "tickets",
    "Unfinished tickets by step and status.",
    tickets.map(({ step, status, count }) => [
      `{step="${step}",status="${status}"}`,
      count,
    ]),
  );
  return `${lines.join("\n")}\n`;
}
