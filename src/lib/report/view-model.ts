import type { WorkStepCode } from "../domain/step.ts";
import {
  comesAfter,
  failedStep,
  queueStep,
  stepCommands,
  workStep,
} from "../domain/step.ts";
import type { TestedVersion, TestState } from "../domain/test-history.ts";
import { cancelledInWords } from "../domain/cancel.ts";
import type { Interval } from "../domain/expected.ts";
import { progressInWords } from "../domain/progress.ts";
import { overrideInWords } from "../domain/override.ts";
export { ageInWords } from "../domain/age.ts";
export { sizeInWords } from "../domain/size.ts";
export { stepInWords } from "../domain/ticket.ts";
import type {
  Artifact,
  JudgedTest,
  Outcome,
  Ticket,
  TicketSummary,
} from "../domain/ticket.ts";
import { publishedInWords } from "../domain/ticket.ts";
import type { PackageVersion } from "../state/report-rows.ts";
import type { Need, PackageData } from "./report-input.ts";

/** A point in time: the text that a page shows, and the exact time. */
interface Moment {
  readonly text: string;
  readonly iso: string;
}

/** One step of a ticket, with every attempt at it. */
interface TimelineStep {
  readonly code: number;
  readonly name: string;
  readonly state:
    "passed" | "failed" | "cancelled" | "running" | "waiting" | "not reached";
  readonly attempts: readonly {
    readonly attempt: number;
    readonly outcome: string;
    readonly duration: string;
    readonly started: Moment;
    readonly reason: string;
    /** Name of the artifact that shows why it did not pass, or null. */
    readonly evidence: string | null;
  }[];
}

/** A point in time for people, in UTC. */
export function moment(iso: string): Moment {
  return { iso, text: `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC` };
}

/** The latest of some points in time, ISO 8601 UTC; the beginning of time where there is none. */
export function newest(times: readonly string[]): string {
  return times.reduce(
    (latest, time) => (time > latest ? time : latest),
    "1970-01-01T00:00:00.000Z",
  );
}

/** When maintenance held the first command back, or null. */
export function heldBackSince(
  held: readonly { readonly first: string }[],
): Moment | null {
  const [first] = held.map((entry) => entry.first).sort();
  return first === undefined ? null : moment(first);
}

/** Part of a sentence: text, and possibly a point in time after it. */
interface Words {
  readonly text: string;
  readonly moment: Moment | null;
}

/**
 * When an open ticket is expected to start and complete; empty without an estimate. Times are absolute,
 * since a page is read later than it is written. Times in the past are omitted: they would make every
 * report differ from the one before.
 *
 * @param writtenAt when the page is written, ISO 8601
 */
export function expectations(
  ticket: TicketSummary,
  writtenAt: string,
): Words[] {
  const { start = null, end = null } = ticket.expected ?? {};
  return [
    ...(start === null ? [] : expectation("starts", start, writtenAt)),
    ...(start === null || end === null ? [] : [{ text: ", ", moment: null }]),
    ...(end === null ? [] : expectation("complete", end, writtenAt)),
  ];
}

function expectation(
  what: string,
  { earliest, latest }: Interval,
  writtenAt: string,
): Words[] {
  const from = moment(earliest);
  const until = moment(latest);
  if (latest <= writtenAt)
    return [{ text: `${what} any moment`, moment: null }];
  if (earliest <= writtenAt) return [{ text: `${what} by `, moment: until }];
  if (from.text === until.text) return [{ text: `${what} at `, moment: until }];
  const sameDay = earliest.slice(0, 10) === latest.slice(0, 10);
  const short = { ...until, text: until.text.slice("2026-01-01 ".length) };
  return [
    { text: `${what} between `, moment: from },
    { text: " and ", moment: sameDay ? short : until },
  ];
}

/** A duration in words, in at most two units. */
export function duration(ms: number): string {
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** The steps of a ticket in order, and how far it got. */
export function timeline(ticket: Ticket): TimelineStep[] {
  const shown = new Set(shownArtifacts(ticket).map(({ name }) => name));
  return stepCommands.map(({ code, command }) => {
    const runs = ticket.runs.filter(({ step }) => step.code === code);
    return {
      code,
      name: command,
      state: stateOf(ticket, code, runs.at(-1)?.outcome),
      attempts: runs.map((run) => ({
        attempt: run.attempt,
        outcome: run.outcome ?? "running",
        duration:
          run.finished_at === null
            ? ""
            : duration(
                Date.parse(run.finished_at) - Date.parse(run.started_at),
              ),
        started: moment(run.started_at),
        reason: run.reason ?? "",
        evidence: shown.has(run.evidence ?? "") ? run.evidence : null,
      })),
    };
  });
}

/** The state of a step, by the outcome of its last attempt (null while that runs). */
function stateOf(
  ticket: Ticket,
  code: WorkStepCode,
  last: Outcome | null | undefined,
): TimelineStep["state"] {
  const at = ticket.step.code;
  const resume = ticket.resume_step?.code;
  if (last === null) return "running";
  const failed = at === failedStep;
  if (failed && ticket.failure?.step.code === code) return "failed";
  if (failed && ticket.cancelled !== null && resume === code)
    return "cancelled";
  if (at === code) return "waiting";
  // Steps that passed before the ticket went back to an earlier step have to be repeated.
  const from = workStep(at === queueStep ? (resume ?? at) : at);
  if (from !== undefined && !comesAfter(from.code, code)) return "not reached";
  return last === "passed" ? "passed" : "not reached";
}

/** The overrides of a ticket as its page lists them; those in force no longer come last. */
export function overrideRows(ticket: Ticket): {
  text: string;
  reason: string;
  by: string;
  at: Moment;
  undone: string;
}[] {
  const rows = ticket.overrides.map((override) => ({
    text: `${overrideInWords(override)}${override.until === null ? "" : `, until ${moment(override.until).text}`}`,
    reason: override.reason,
    by: override.by,
    at: moment(override.at),
    undone:
      override.undone !== null
        ? `undone by ${override.undone.by}, ${moment(override.undone.at).text}`
        : override.ended
          ? "it has ended"
          : "",
  }));
  return [
    ...rows.filter(({ undone }) => undone === ""),
    ...rows.filter(({ undone }) => undone !== ""),
  ];
}

/** The current situation of a ticket in one line. */
export function whereabouts(ticket: TicketSummary): string {
  if (ticket.progress !== null) return progressInWords(ticket.progress);
  if (ticket.failure !== null) return ticket.failure.reason;
  if (ticket.cancelled !== null) return cancelledInWords(ticket.cancelled);
  if (ticket.waiting_for !== null) return ticket.waiting_for;
  if (ticket.queue_position !== null)
    return `position ${ticket.queue_position} in the queue`;
  return publishedInWords(ticket) ?? "";
}

/** A bug's URL if it is safe to link, otherwise null: escaping does not disarm `javascript:`. */
export function bugLink({ bug }: Pick<Ticket, "bug">): string | null {
  return bug !== null && /^https?:\/\/\S+$/.test(bug) && URL.canParse(bug)
    ? new URL(bug).href
    : null;
}

/** Artifacts published with a ticket's page: all except images, which are large (see get_image), and expired files. */
export function shownArtifacts(ticket: Ticket): Artifact[] {
  return ticket.artifacts.filter(
    ({ type, expired_at }) => type !== "IMAGE" && expired_at === null,
  );
}

/** Name of the folder, below ended/, for the page of a range of ended tickets. */
export function rangeFolder({
  from,
  to,
}: {
  readonly from: number;
  readonly to: number;
}): string {
  return `${from}-${to}`;
}

/** What is wrong, for the list of what needs a person. */
export const needInWords = {
  package: "failed: the package",
  infrastructure: "failed: infrastructure",
  maintenance: "maintenance",
  "set-aside": "set aside",
  held: "held",
  draft: "never queued",
  bad: "bad",
  "needs-testing": "waits for QA",
  failed: "failed",
  cancelled: "cancelled",
  waiting: "waits",
  running: "runs",
  done: "done",
  ok: "ok",
  untestable: "untestable",
} as const satisfies Readonly<Record<Need["kind"], string>>;

/** The open tickets by what they do: run, wait in the queue in its order, or neither. */
export function byWhatTheyDo(open: readonly Ticket[]): {
  readonly running: readonly Ticket[];
  readonly queue: readonly Ticket[];
  readonly others: readonly Ticket[];
} {
  const queue = open
    .filter(({ queue_position }) => queue_position !== null)
    .sort(
      (one, other) => (one.queue_position ?? 0) - (other.queue_position ?? 0),
    );
  const running = open.filter(
    (ticket) => isUnderWay(ticket) && ticket.queue_position === null,
  );
  const shown = new Set([...queue, ...running]);
  return {
    running: [...running].sort((one, other) => one.id - other.id),
    queue,
    others: open.filter((ticket) => !shown.has(ticket)),
  };
}

const isUnderWay = ({ status }: Ticket) =>
  status === "running" || status === "waiting";

/** When the first attempt at a ticket's steps began, or null before. */
export function beginning({ runs }: Pick<Ticket, "runs">): Moment | null {
  const [first] = runs;
  return first === undefined ? null : moment(first.started_at);
}

/** A count and its noun: "1 ticket", "2 tickets". */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** A text in parts: those that are links to http and https addresses, and those between. */
export function linked(
  text: string,
): { readonly text: string; readonly href: string | null }[] {
  return text
    .split(/(https?:\/\/[^\s<>"']{1,2000}[^\s<>"'.,:;!?)\]}])/)
    .filter((part) => part !== "")
    .map((part) => ({ text: part, href: bugLink({ bug: part }) }));
}

/** What each series has of a source package: in the archive, and of what is deployed. */
export function published({
  history,
  deployed,
}: Pick<PackageData, "history" | "deployed">): {
  readonly series: string;
  readonly current: PackageVersion | null;
  readonly stable: PackageVersion | null;
}[] {
  return [...deployed].map(([series, revision]) => {
    const there = history
      .filter(
        (one) =>
          one.series === series &&
          one.archive_revision !== null &&
          one.undone_by === null,
      )
      .sort(
        (one, other) =>
          (other.archive_revision ?? 0) - (one.archive_revision ?? 0),
      );
    return {
      series,
      current: there[0] ?? null,
      stable:
        there.find(
          ({ archive_revision: at }) =>
            revision !== null && at !== null && at <= revision,
        ) ?? null,
    };
  });
}

/** What is said of a test on the page of its package. */
export const testStateInWords = {
  new: "NEW failure",
  failing: "fails",
  known: "known failure",
  flaky: "flaky",
  pass: "pass",
  none: "not judged",
} as const satisfies Readonly<Record<TestState, string>>;

/** The tests of a ticket, each with its result in the version before; those that got worse come first. */
export function testRows(
  { tests }: Pick<Ticket, "tests">,
  tested: ReadonlyMap<string, TestedVersion>,
): {
  readonly test: JudgedTest;
  readonly before: { readonly ticket: number; readonly result: string } | null;
  readonly isNew: boolean;
}[] {
  return tests
    .map((test) => {
      const version = tested.get(test.package);
      const then = version?.tests.find(({ name }) => name === test.name);
      const before =
        version === undefined || then === undefined
          ? null
          : { ticket: version.ticket, result: then.result };
      const isNew =
        test.result === "fail" &&
        test.verdict !== "known" &&
        before?.result === "pass";
      return { test, before, isNew };
    })
    .sort((one, other) => Number(other.isNew) - Number(one.isNew));
}
