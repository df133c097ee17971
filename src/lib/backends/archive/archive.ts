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

/** A PPA of the pool, and its series. */
export interface PpaRef {
  readonly ppa: string;
  readonly series: string;
}

/** A version of a source package. */
export interface SourceVersion {
  readonly name: string;
  readonly version: string;
}

export type PublishResult =
  | { readonly outcome: "passed"; readonly revision: Revision }
  /** failed: the archive holds that version or a higher one; tmpfail: our tools or disk. */
  | { readonly outcome: "failed" | "tmpfail"; readonly reason: string };

/** Something that is wrong with the archive's files; where is an absolute path. */
export interface ArchiveFault {
  /**
   * half-made and unreferenced: leftovers of killed runs, {@link Archive.removeRevisions}
   * removes them. broken-old: a revision that is not current; it can be removed. broken, wrong-file:
   * what clients see is damaged.
   */
  readonly kind:
    "half-made" | "unreferenced" | "broken-old" | "broken" | "wrong-file";
  readonly where: string;
  readonly what: string;
  readonly revision?: number;
}

/** What a backup keeps of an archive; paths are relative to the state folder. */
export interface KeptFiles {
  /** Files, and folders with all that is in them. */
  readonly paths: readonly string[];
  /** A symbolic link and where it leads: it has the copy show the last of its revisions. */
  readonly link: { readonly path: string; readonly target: string };
}

/**
 * Keeps the archive as a signed apt repository, in revisions. Every method can be killed at any
 * instant and called again with the same arguments; the result is the same. The signal ends the tools
 * it has started, and its own waiting for another process.
 */
export interface Archive {
  /** Makes the signing key and revision 0, with these series, unless they are there. */
  init(series: readonly string[]): Promise<void>;
  repository(series: string): Promise<AptRepository>;
  /**
   * Copies source versions and their binary packages from a PPA into the archive's series of that
   * name: as one new revision that appears at once, then checked as a client sees it. Files are bit
   * for bit those of the PPA. If the current revision has them by this ticket already, it only checks.
   */
  publish(
    from: PpaRef,
    what: readonly SourceVersion[],
    ticket: number,
    signal?: AbortSignal,
  ): Promise<PublishResult>;
  /** Whether it was made. */
  exists(): Promise<boolean>;
  /**
   * The revision that clients see.
   *
   * @throws UbuntuCiError (78) before the first
   */
  current(): Promise<Revision>;
  /** All revisions that are kept, ascending. */
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
  /** What a backup keeps so that these revisions are there again, the last of them current. */
  filesToKeep(revisions: readonly [number, ...number[]]): Promise<KeptFiles>;
}
