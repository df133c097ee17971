import type { Config } from "../config/config.ts";
import type {
  ArtifactType,
  Outcome,
  TestResult,
  Ticket,
} from "../domain/ticket.ts";
import type { Archive } from "../backends/archive/archive.ts";
import type { Distribution } from "../backends/distribution/distribution.ts";
import type { Builder, RemoteBuilder } from "../backends/builder/builder.ts";
import type { Image, Imager } from "../backends/imager/imager.ts";
import type { Pool } from "../backends/pool/pool.ts";
import type { Tester } from "../backends/tester/tester.ts";
import type { JobId, Pending } from "../backends/remote.ts";
import type { ProducedFile, RunContext } from "../backends/run-context.ts";
import type { LookUp } from "../debian/build-order.ts";
import type { Finding, Judged, Policy } from "../domain/policy.ts";
import type { Remedy } from "../domain/remedy.ts";
import type { TicketPlan } from "../domain/plan.ts";

/** One source package of the ticket, as it lies in the data store. */
export interface TicketSource {
  readonly subticket: number;
  readonly source: string;
  readonly version: string;
  /** Absolute path of the .dsc, its files beside it. */
  readonly dsc: string;
  /** Absolute paths of the .deb, .udeb and .ddeb files built from it, once it was built. */
  readonly binaries: readonly string[];
}

/** Work of a step that was handed over to a remote engine, by this or an earlier run. */
export interface StepJob {
  /** The key we submitted it with. */
  readonly key: string;
  /** Name of the remote engine. */
  readonly remote: string;
  /** Its id there; null when it is unknown whether the submission arrived. */
  readonly id: JobId | null;
}

/** What a step is told of its run, and how it hands work over. */
export interface StepContext extends RunContext {
  /**
   * Submits work to a remote engine under a key of ours. Recorded before and after, so that `settle`
   * finds out about it even if the process is killed in between.
   */
  submit(
    remote: string,
    submit: (key: string) => Promise<JobId>,
  ): Promise<JobId>;
  /** Says that work on one of the ticket's source packages begins, or has ended, for `status` to show. */
  workingOn(subticket: number, isAtWork: boolean): void;
}

/** Everything a step is told; it never reads the state itself. */
export interface StepInput {
  readonly ticket: Ticket;
  readonly sources: readonly TicketSource[];
  readonly image: Image | null;
  /** A job that an earlier run of this step submitted and that is not known to have ended. */
  readonly job: StepJob | null;
  readonly config: Config;
  /** What is required of the ticket. */
  readonly policy: Policy;
  /** The Debian architecture that this installation builds for. */
  readonly architecture: string;
  /** Looks up binary packages in the archive and the distribution of the ticket's series. */
  readonly lookUp: LookUp;
}

export interface StepBackends {
  readonly builder: () => Promise<Builder | RemoteBuilder>;
  readonly imager: () => Promise<Imager>;
  readonly tester: () => Promise<Tester>;
  readonly pool: () => Promise<Pool>;
  readonly archive: () => Promise<Archive>;
  readonly distribution: () => Promise<Distribution>;
}

/** A file to keep, with what it is. */
export interface StepFile extends ProducedFile {
  readonly type: ArtifactType;
  readonly subticket: number | null;
  /** Component of the data store beside the ticket's own container. */
  readonly component?: "test-runner";
}

/** The result of a step: done, or pending at a remote engine. */
export type StepResult = Done | (Pending & { readonly job: JobId });

export interface Done {
  readonly outcome: Outcome;
  readonly reason: string | null;
  /** Name of the file that shows the failure. */
  readonly evidence?: string | null;
  readonly files: readonly StepFile[];
  readonly tests?: readonly TestResult[];
  /** What was found of each requirement, before any override. */
  readonly findings?: readonly Finding[];
  /** The command by which a person lets the ticket go on without what is missing; it is set aside until then. */
  readonly needs?: Remedy;
  readonly image?: Image;
  readonly base?: string | null;
  readonly published?: {
    readonly revision: number;
    readonly created_at: string;
  };
  readonly stages?: Readonly<Record<string, number>>;
  /** Whether the result came from the job, which has therefore ended. */
  readonly jobEnded?: true;
}

/** What a step is going to do, as data: `--dry-run` prints it, a real run executes it. */
export type StepPlan = TicketPlan;

/** Plans a step and executes the plan through the backends. It can be killed at any instant. */
export interface StepDefinition<Plan extends StepPlan> {
  plan(input: StepInput): Promise<Plan>;
  execute(
    plan: Plan,
    input: StepInput,
    backends: StepBackends,
    work: StepContext,
  ): Promise<StepResult>;
  /**
   * Checks whether an earlier run has done the work after all, or has submitted it. Called before the
   * step is executed again, and when there is a job to look at. Null: execute it.
   */
  settle?(
    input: StepInput,
    backends: StepBackends,
    work: RunContext,
  ): Promise<StepResult | null>;
  /** Cancels an unwanted job; false when it was never submitted or cannot be reached. */
  cancelJob?(job: StepJob, backends: StepBackends): Promise<boolean>;
}

/** The ticket's PPA, which every step after the first has. */
export function ppaOf(ticket: Ticket): string {
  if (ticket.ppa === null)
    throw new RangeError(`ticket ${ticket.id} has no PPA`);
  return ticket.ppa;
}

/** The step's ticket, as policies see it. */
export function judgedOf({ ticket, sources }: StepInput): Judged {
  return {
    series: ticket.series,
    sources: sources.map(({ source }) => source),
  };
}

/** How the outcome of a piece of work is found of a requirement. */
export function findingOf(
  requirement: Finding["requirement"],
  source: string,
  { architecture }: StepInput,
  { outcome, reason }: { outcome: Outcome; reason: string | null },
): Finding {
  const result = { passed: "pass", failed: "fail", tmpfail: "infrastructure" };
  return {
    requirement,
    source,
    architecture,
    result: result[outcome] as Finding["result"],
    reason: outcome === "passed" ? null : reason,
  };
}

/** A part of the run's work with a scratch folder of its own. */
export function partOf(work: RunContext, scratch: string): RunContext {
  return { ...work, scratch };
}
