import type { AptRepository } from "../apt-repository.ts";
import type { Remote } from "../remote.ts";
import type { ProducedFile, RunContext, WorkResult } from "../run-context.ts";

export interface BuildRequest {
  readonly source: string;
  readonly version: string;
  readonly series: string;
  /** Absolute path of the .dsc, its files beside it. */
  readonly dsc: string;
  /** Repositories beside the distribution's own; the first (the ticket's PPA) has priority over all others. */
  readonly repositories: readonly AptRepository[];
}

export interface BuildResult extends WorkResult {
  /** .deb, .udeb, .ddeb files, .buildinfo and .changes; empty unless it passed. */
  readonly files: readonly ProducedFile[];
  /** Digest of the base it was built on. */
  readonly base: string | null;
  /** It failed because apt cannot install its build dependencies yet, and may pass once more is built. */
  readonly unmet?: true;
}

/** Builds one source package into binaries for the machine's own architecture. */
export interface Builder {
  build(request: BuildRequest, work: RunContext): Promise<BuildResult>;
}

/** All builds of a ticket, as one job. */
export interface BuildJob {
  readonly series: string;
  /** Groups that can be built in parallel; each may need the binaries of those before it. */
  readonly waves: readonly (readonly Pick<
    BuildRequest,
    "source" | "version" | "dsc"
  >[])[];
  readonly repositories: readonly AptRepository[];
}

/** The result for one source package of a job. */
export interface SourceResult {
  readonly source: string;
  readonly result: BuildResult;
}

/** Somebody else's build farm. */
export type RemoteBuilder = Remote<BuildJob, readonly SourceResult[]>;
