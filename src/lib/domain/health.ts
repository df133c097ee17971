import type { Advice } from "./remedy.ts";

/** Health levels with their exit codes in the Nagios plugin interface. */
export const healthCodes = {
  ok: 0,
  warning: 1,
  critical: 2,
  unknown: 3,
} as const;

export type Health = keyof typeof healthCodes;

/** One figure that is watched, and from which value on it is bad. */
export interface Measure {
  /** Lower case with underscores: the label of the performance data and part of the metric's name. */
  readonly name: string;
  /** What it is, for the metric's help. */
  readonly help: string;
  /** Seconds, bytes, per cent, or a count. */
  readonly unit: "s" | "B" | "%" | "";
  /** Null where it does not apply, as the age of maintenance that is off. */
  readonly value: number | null;
  /** Null: never. */
  readonly warn: number | null;
  readonly critical: number | null;
  /** Whether it is bad from the threshold on upwards, or below it. */
  readonly bad: "above" | "below";
  readonly max?: number;
  /** The figure in words, as the line tells it when it is bad. */
  readonly words: Advice;
}

/** What a check comes to. */
export interface HealthReport {
  readonly health: Health;
  readonly measures: readonly (Measure & { readonly health: Health })[];
  /** What there is, in words, when all is well. */
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

/** Judges every figure; the worst says how the whole is. */
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
 * The one line of a Nagios plugin: what is bad, the worst first, and the performance data.
 *
 * @param write how advice becomes text
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
 * The figures as a text file of Prometheus. A figure that does not apply is left out.
 *
 * @param report null when nothing could be found out
 * @param tickets how many unfinished tickets there are at each step, in each status
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
