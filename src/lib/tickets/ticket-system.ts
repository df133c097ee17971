import type { CancelPlan } from "../domain/cancel.ts";
import type { Explanation } from "../domain/explain/explanation.ts";
import type { LandingExplanation } from "../domain/explain/landing.ts";
import type { LandingsReport } from "../domain/landing.ts";
import type { QaPlan, Verdict } from "../domain/qa.ts";
import type { LogRecord } from "../domain/log-record.ts";
import type { OverridePlan, OverrideTarget } from "../domain/override.ts";
import type { TicketPlan } from "../domain/plan.ts";
import type { RetryPlan } from "../domain/retry.ts";
import type { Artifact, Override } from "../domain/ticket.ts";
import type { Step } from "../domain/step.ts";
import type { TicketDocument } from "./ticket-document.ts";

/** What `create_ticket` is given. */
export interface CreateRequest {
  readonly title: string;
  readonly description: string;
  /** A number or a URL, as the user gave it. */
  readonly bug: string | null;
  /** Email address, or null for the .changes' Changed-By. */
  readonly owner: string | null;
  /** Absolute paths of _source.changes files. */
  readonly sources: readonly string[];
  /** Do not queue the ticket for processing. */
  readonly wait: boolean;
  readonly add: readonly string[];
  readonly remove: readonly string[];
  readonly series: string | null;
  readonly baseImage: string | null;
  readonly priority: number;
  /** When the owner expects it to land, ISO 8601 UTC; null leaves that open. */
  readonly eta: string | null;
}

/** What `update_ticket` is given; what is absent stays. */
export interface UpdateRequest {
  readonly title?: string;
  readonly description?: string;
  readonly bug?: string;
  readonly owner?: string;
  readonly add?: readonly string[];
  readonly remove?: readonly string[];
  readonly priority?: number;
  /** Null takes it back. */
  readonly eta?: string | null;
  readonly hold?: boolean;
}

/** An override by its number or target, or the only one there is. */
export type OverrideWanted = number | OverrideTarget | null;

export interface HistoryRequest {
  /** Of this ticket alone. */
  readonly ticket?: number;
  /** ISO 8601, UTC. */
  readonly since?: string;
  /** At most so many, the newest. */
  readonly last?: number;
}

export interface ListRequest {
  readonly step?: Step;
  readonly owner?: string;
  readonly open?: boolean;
  /** Only so many of the newest. */
  readonly newest?: number;
}

export interface LandingsRequest {
  /** Default: the first configured one. */
  readonly series?: string;
  /** Those before the deployed revision, too. */
  readonly all?: boolean;
  /** At most so many, the newest. */
  readonly limit?: number;
}

/**
 * Where tickets are kept. The commands speak to this and don't know whether it is the local state or
 * a remote system over HTTP.
 */
export interface TicketSystem {
  /** @throws UbuntuCiError (2) with every problem of the upload; nothing is stored then */
  create(request: CreateRequest): Promise<TicketDocument>;
  /** What creating would do, in lines; checks everything and stores nothing. */
  planCreate(request: CreateRequest): Promise<readonly string[]>;
  /** What updating would do. @throws UbuntuCiError (2) as updating would */
  planUpdate(id: number, request: UpdateRequest): Promise<TicketPlan>;
  update(id: number, request: UpdateRequest): Promise<TicketDocument>;
  /** Newest last, some at a time: there may be more than fit into memory. */
  list(request: ListRequest): AsyncIterable<readonly TicketDocument[]>;
  /** @throws UbuntuCiError (2) when there is no such ticket */
  get(id: number): Promise<TicketDocument>;
  /** Why it is where it is. @throws UbuntuCiError (2) when there is no such ticket */
  explain(id: number): Promise<Explanation>;
  /** @throws UbuntuCiError (2) when it has ended already */
  planCancel(id: number): Promise<CancelPlan>;
  /** Ends a ticket, or asks what works on it to end it. @throws UbuntuCiError (2) when it has ended already */
  cancel(id: number, reason: string | null): Promise<CancelPlan>;
  /** The ticket, when it has ended as it was asked to, or after so many milliseconds. */
  awaitCancelled(
    id: number,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<TicketDocument>;
  /** How it would be tried again. @throws UbuntuCiError (2) saying why not */
  planRetry(id: number, from: Step | undefined): Promise<RetryPlan>;
  retry(id: number, from: Step | undefined): Promise<RetryPlan>;
  /**
   * @param until when it ends, ISO 8601 UTC; null: never
   * @throws UbuntuCiError (2) when the ticket has no such thing, or ignores it already
   */
  planOverride(
    id: number,
    target: OverrideTarget,
    until: string | null,
  ): Promise<OverridePlan>;
  override(
    id: number,
    target: OverrideTarget,
    reason: string,
    until: string | null,
  ): Promise<OverridePlan>;
  /** The override that would be taken back. @throws UbuntuCiError (2) when there is none such */
  planUndo(id: number, wanted: OverrideWanted): Promise<Override>;
  undo(id: number, wanted: OverrideWanted): Promise<Override>;
  /** What happened, oldest first. @throws UbuntuCiError (2) when there is no such ticket */
  history(request: HistoryRequest): Promise<readonly LogRecord[]>;
  /** The same, and what is added to it from then on, until the signal. */
  follow(
    request: HistoryRequest,
    signal: AbortSignal,
  ): AsyncIterable<LogRecord>;
  /** What landed in a series, and which revision may be deployed. @throws UbuntuCiError (2) when there is no such series */
  landings(request: LandingsRequest): Promise<LandingsReport>;
  /** @throws UbuntuCiError (2) when there is no such landing, or it cannot have that verdict */
  planQa(revision: number, verdict: Verdict): Promise<QaPlan>;
  qa(revision: number, verdict: Verdict): Promise<QaPlan>;
  /** Why a landing is deployable or not. @throws UbuntuCiError (2) when there is no such landing */
  explainLanding(revision: number): Promise<LandingExplanation>;
  /** Copies an artifact to a file, checked against its digest; the file is there whole or not at all. */
  fetchArtifact(artifact: Artifact, destination: string): Promise<void>;
}
