import type { Explanation } from "../domain/explain/finding.ts";
import type { Artifact, Ticket } from "../domain/ticket.ts";
import type { TicketPlan } from "../domain/plan.ts";
import type { Step } from "../domain/step.ts";

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
  readonly hold?: boolean;
}

export interface ListRequest {
  readonly step?: Step;
  readonly owner?: string;
  readonly open?: boolean;
}

/**
 * Where tickets are kept. The commands speak to this and don't know whether it is the local state or
 * a remote system over HTTP.
 */
export interface TicketSystem {
  /** @throws UbuntuCiError (2) with every problem of the upload; nothing is stored then */
  create(request: CreateRequest): Promise<Ticket>;
  /** What creating would do, in lines; checks everything and stores nothing. */
  planCreate(request: CreateRequest): Promise<readonly string[]>;
  /** What updating would do. @throws UbuntuCiError (2) as updating would */
  planUpdate(id: number, request: UpdateRequest): Promise<TicketPlan>;
  update(id: number, request: UpdateRequest): Promise<Ticket>;
  list(request: ListRequest): Promise<readonly Ticket[]>;
  /** @throws UbuntuCiError (2) when there is no such ticket */
  get(id: number): Promise<Ticket>;
  /** Why it is where it is. @throws UbuntuCiError (2) when there is no such ticket */
  explain(id: number): Promise<Explanation>;
  /** Copies an artifact to a file, checked against its digest; the file is there whole or not at all. */
  fetchArtifact(artifact: Artifact, destination: string): Promise<void>;
  close(): void;
}
