import type { AptRepository } from "../apt-repository.ts";

/** A source or binary package as an archive holds it. */
export interface Publication {
  readonly kind: "source" | "binary";
  readonly name: string;
  readonly version: string;
  /** `source`, `all`, or the machine's own. */
  readonly architecture: string;
  /** The source package it belongs to. */
  readonly source: string;
}

/** One state of the archive; revision 0 is the empty one that `init` makes. */
export interface Revision {
  readonly revision: number;
  readonly created_at: string;
  /** Ticket that made it, or null (init, revert). */
  readonly ticket: number | null;
  /** Revision this one goes back to, or null. */
  readonly reverts_to: number | null;
  /** Everything published, by series. */
  readonly publications: Readonly<Record<string, readonly Publication[]>>;
}

export interface PublishRequest {
  readonly ticket: number;
  readonly series: string;
  /** Absolute paths of .dsc (files beside them) and .deb files. */
  readonly sources: readonly { name: string; version: string; dsc: string }[];
  readonly binaries: readonly string[];
}

export type PublishResult =
  | { readonly outcome: "passed"; readonly revision: Revision }
  /** failed: the archive holds that version or a higher one; tmpfail: our tools or disk. */
  | { readonly outcome: "failed" | "tmpfail"; readonly reason: string };

/** Something that is wrong with the archive's files; where is an absolute path. */
export interface ArchiveFault {
  /**
   * half-made and unreferenced: leftovers of killed runs, {@link ArchiveKeeper.removeRevisions}
   * removes them. broken-old: a revision that is not current; it can be removed. broken, wrong-file:
   * what clients see is damaged.
   */
  readonly kind:
    "half-made" | "unreferenced" | "broken-old" | "broken" | "wrong-file";
  readonly where: string;
  readonly what: string;
  readonly revision?: number;
}

/**
 * Keeps the PPAs of the pool and the archive as signed apt repositories on disk. Every method can
 * be killed at any instant and called again with the same arguments; the result is the same. The
 * signal ends the tools it has started, and its own waiting for another process.
 */
export interface ArchiveKeeper {
  readonly name: "aptly" | "fake";
  /** Makes the signing key and revision 0, with these series, unless they are there. */
  init(series: readonly string[]): Promise<void>;
  /** Makes the PPA's repository, empty, for that series. What it held before is gone. */
  resetPpa(
    ppa: string,
    series: string,
    signal?: AbortSignal,
  ): Promise<AptRepository>;
  /** Adds packages to a PPA and publishes it. Adding what it holds already changes nothing. */
  addToPpa(
    ppa: string,
    series: string,
    files: readonly string[],
    signal?: AbortSignal,
  ): Promise<void>;
  /** Removes a PPA's contents from disk. */
  clearPpa(ppa: string): Promise<void>;
  ppaRepository(ppa: string, series: string): Promise<AptRepository>;
  archiveRepository(series: string): Promise<AptRepository>;
  /**
   * Publishes source and binaries of a ticket as one new revision that appears at once, then checks
   * the published tree with apt as its client. If the current revision was made by this ticket
   * already, only checks it.
   */
  publish(
    request: PublishRequest,
    signal?: AbortSignal,
  ): Promise<PublishResult>;
  /** The revision that clients see. */
  current(): Promise<Revision>;
  revisions(): Promise<readonly Revision[]>;
  /** Makes a new revision with the contents of that one. */
  revert(revision: number): Promise<Revision>;
  /**
   * Removes revisions, and from the pool what no other one refers to; with none named, what killed
   * runs left.
   *
   * @throws UbuntuCiError (2) when one of them is current
   */
  removeRevisions(revisions: readonly number[]): Promise<void>;
  /** Looks whether all files of all revisions are there; with digests, reads them all. */
  inspect(digests: boolean): Promise<readonly ArchiveFault[]>;
}
