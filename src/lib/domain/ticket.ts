import type { Expected } from "./expected.ts";
import type { PendingJob } from "./pending.ts";
import type { Step } from "./step.ts";

/** The outcome of one attempt at one step. *failed* is the package's fault, *tmpfail* the infrastructure's. */
export type Outcome = "passed" | "failed" | "tmpfail";

/**
 * - draft: created with --wait, and not queued yet
 * - held: a person keeps it from starting
 * - set-aside: it needs a person, and meanwhile others go ahead of it
 */
export type TicketStatus =
  | "draft"
  | "waiting"
  | "running"
  | "held"
  | "set-aside"
  | "failed"
  | "cancelled"
  | "done";

/** What a ticket that was set aside needs from a person: an approval or a repair. */
export type SetAside = "approval" | "repair";
export type ArtifactType = "SPU" | "LOGS" | "RESULTS" | "IMAGE";
export type TestResultKind = "pass" | "fail" | "skip" | "flaky" | "neutral";
export type Blame = "package" | "infrastructure";

/** One test of one package, as autopkgtest reported it; duration in seconds of wall time. */
export interface TestResult {
  readonly package: string;
  readonly name: string;
  readonly result: TestResultKind;
  readonly seconds: number;
  readonly detail: string;
  /** How it counts, by the policy and the overrides of that time; absent until it is judged. */
  readonly state?: "pass" | "fail" | "waived";
}

/**
 * What a failed test means: `infrastructure`, the run could not be finished; `known`, an override ignores
 * it; null, nothing is known. (`regression` is for who compares with the tests of landed tickets.)
 */
export type Verdict = "regression" | "known" | "infrastructure";

/** A test as a ticket shows it. */
export interface JudgedTest extends TestResult {
  readonly verdict: Verdict | null;
}

/** Identifies a file in the data store, without its path. */
export interface FileRef {
  readonly container: string;
  readonly name: string;
}

/** A stored file; size in bytes. */
export interface Artifact extends FileRef {
  readonly type: ArtifactType;
  readonly size: number;
  readonly sha256: string;
  /** When retention removed the file; null while it exists. */
  readonly expired_at: string | null;
  /** The subticket it belongs to, or null when it belongs to the whole ticket. */
  readonly subticket: number | null;
}

export interface Subticket {
  readonly id: number;
  readonly source: string;
  readonly version: string;
  readonly step: Step;
  readonly status: TicketStatus;
  readonly binaries: readonly string[];
}

/** One attempt at one step. */
export interface Run {
  readonly step: Step;
  readonly attempt: number;
  readonly outcome: Outcome | null;
  readonly started_at: string;
  readonly finished_at: string | null;
  readonly reason: string | null;
  /** Name of the artifact that shows why it did not pass. */
  readonly evidence: string | null;
  /** Milliseconds that each stage took, as far as the backend reports them. */
  readonly stages: Readonly<Record<string, number>>;
}

export interface Failure {
  readonly step: Step;
  readonly kind: Blame;
  readonly reason: string;
  /** Name of the artifact that shows the failure, for `get_artifact`. */
  readonly artifact: string | null;
}

/** Who cancelled a ticket, or requested it while the ticket was running. */
export interface Cancellation {
  readonly at: string;
  readonly by: string;
  readonly reason: string | null;
}

/** Progress of a running step; current and total count items, such as tests. */
export interface Progress {
  readonly state: "WAITING" | "STATUS" | "COMPLETED" | "FAILED";
  readonly message: string;
  readonly current: number | null;
  readonly total: number | null;
  readonly at: string;
}

export type OverrideKind =
  "step" | "arch" | "test" | "takeover" | "breaks" | "older";

/**
 * What an operator decided to ignore about a ticket, or to allow it. The target is a command, an
 * architecture, PKG[/TEST], or of a takeover the binary package; there is none of breaks and older.
 */
export interface Override {
  readonly id: number;
  readonly kind: OverrideKind;
  readonly target: string;
  readonly reason: string;
  readonly by: string;
  readonly at: string;
  /** ISO 8601 UTC: from then on it does not count. Null: it has no end. */
  readonly until: string | null;
  /** Whether its end had passed when the ticket was read. */
  readonly ended: boolean;
  readonly undone: { readonly at: string; readonly by: string } | null;
}

/** Where what a ticket published is: `archive revision 2`, and whether it was taken out again. */
export function publishedInWords({
  archive_revision: revision,
  undone_by: undone,
}: Pick<Ticket, "archive_revision" | "undone_by">): string | null {
  if (revision === null) return null;
  const since = undone === null ? "" : `, taken out by revision ${undone}`;
  return `archive revision ${revision}${since}`;
}

/** The step that a ticket is at, for people. A cancelled ticket ends where failed ones do, but has not failed. */
export function stepInWords({
  step,
  status,
}: Pick<Ticket, "step" | "status">): string {
  return status === "cancelled" ? "Cancelled" : step.name;
}

/** A ticket with everything that belongs to it. */
export interface Ticket {
  readonly id: number;
  readonly title: string;
  readonly description: string;
  readonly owner: string;
  readonly bug: string | null;
  readonly series: string;
  readonly priority: number;
  readonly created_at: string;
  readonly updated_at: string;
  readonly step: Step;
  readonly status: TicketStatus;
  readonly ppa: string | null;
  readonly queue_position: number | null;
  /** When it is expected to complete; null when it is held or has ended, absent where nobody asked. */
  readonly expected?: Expected | null;
  /** When its owner expects it to land, ISO 8601 UTC; null when nobody said. */
  readonly eta: string | null;
  readonly archive_revision: number | null;
  /** The archive revision that took out again what it published, or null. */
  readonly undone_by: number | null;
  readonly failure: Failure | null;
  readonly cancelled: Cancellation | null;
  /** All overrides, including those undone. */
  readonly overrides: readonly Override[];
  /** The step at which it continues, or would after a retry, once it has a PPA again. */
  readonly resume_step: Step | null;
  readonly add: readonly string[];
  readonly remove: readonly string[];
  readonly base_image: string | null;
  readonly progress: Progress | null;
  /** What it waits for besides its turn, why it was set aside, or why nobody works on it although it is running. */
  readonly waiting_for: string | null;
  /** What it needs from a person, while its status is set-aside. */
  readonly set_aside: SetAside | null;
  /** The job that a remote engine runs for its step, while no process here works on it. */
  readonly pending: PendingJob | null;
  /** When the next attempt is due after a temporary failure. */
  readonly retry_at: string | null;
  readonly subtickets: readonly Subticket[];
  readonly runs: readonly Run[];
  readonly artifacts: readonly Artifact[];
  readonly tests: readonly JudgedTest[];
}

/** A ticket as lists show it. */
export type TicketSummary = Omit<
  Ticket,
  "overrides" | "runs" | "artifacts" | "tests"
>;
