import type { LogRecord } from "./log-record.ts";
import { oneLine } from "./shown-text.ts";
import { failedStep, stepOf, steps } from "./step.ts";

/** Colours for the parts of a line, on a terminal. */
export type Tone = "good" | "bad" | "warning" | "plain";

/** A line of the log for people, in columns; the caller colours `what` by its tone. */
export interface LogText {
  readonly when: string;
  readonly subject: string;
  readonly what: string;
  readonly tone: Tone;
  readonly rest: string;
}

const subjectWidth = 16;
const whatWidth = 11;

/** A log record in words. */
export function logText(record: LogRecord): LogText {
  const { why, run, actor } = record;
  const transition = transitionOf(record);
  const sources = (record.sources ?? [])
    .map(({ source, version }) => `${source} ${version}`)
    .join(", ");
  const parts = [
    sources === "" || why === sources
      ? ""
      : `${sources}${transition === "" && why === null ? "" : ":"}`,
    transition,
    why === null ? "" : transition === "" ? why : `– ${why}`,
    run === null ? `(${actor})` : `(run ${run}, ${actor})`,
  ];
  return {
    when: `${record.at.slice(0, 10)} ${record.at.slice(11, 19)}Z`,
    subject: oneLine(subjectOf(record)).padEnd(subjectWidth),
    what: oneLine(record.what).padEnd(whatWidth),
    tone: toneOf(record.what),
    rest: oneLine(parts.filter((part) => part !== "").join(" ")),
  };
}

function transitionOf({ from, to, what }: LogRecord): string {
  const before = from === null ? null : stateInWords(from);
  const after =
    to === null
      ? null
      : what === "cancelled" && to === String(failedStep)
        ? "Cancelled"
        : stateInWords(to);
  return before !== null && after !== null && before !== after
    ? `${before} → ${after}`
    : (after ?? before ?? "");
}

function subjectOf({ subject, subject_id }: LogRecord): string {
  return subject === "maintenance" ? subject : `${subject} ${subject_id}`;
}

function stateInWords(state: string): string {
  const step = steps.find(({ code }) => String(code) === state);
  return step === undefined ? state : `${step.code} ${stepOf(step.code).name}`;
}

function toneOf(what: string): Tone {
  switch (what) {
    case "passed":
      return "good";
    case "failed":
    case "old":
      return "bad";
    case "tmpfail":
    case "waiting":
    case "pending":
    case "job not cancelled":
    case "held":
    case "held back":
    case "set aside":
    case "taken over":
    case "cancelled":
    case "on":
    case "noticed":
      return "warning";
    default:
      return "plain";
  }
}
