import type { NeedingPackage } from "../../debian/broken.ts";
import type { AptRepository } from "../apt-repository.ts";
import type { SourceChange } from "./revision-changes.ts";
import type { WithoutLanding } from "./without-landing.ts";

/** A source or binary package as an archive holds it. */
export interface Publication {
  readonly kind: "source" | "binary";
  readonly name: string;
  readonly version: string;
  /** `source`, `all`, or the machine's own architecture. */
  readonly architecture: string;
  /** The source package it belongs to. */
  readonly source: string;
}

/** What is known of a revision without what it publishes. */
export interface RevisionRecord {
  readonly revision: number;
  readonly created_at: string;
  /** The ticket that made it; null for init and revert. */
  readonly ticket: number | null;
  /** Revision this one goes back to, or null. */
  readonly reverts_to: number | null;
  /** The revision whose landing this one takes out; absent for none. */
  readonly undoes?: number;
  /** What it did to the source packages of the one before it. */
  readonly changes: readonly SourceChange[];
}

/** One state of the archive; revision 0 is the empty one that `init` makes. */
export interface Revision extends RevisionRecord {
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

/** A version of a source package to publish, and what its .dsc says that it builds. */
export interface PublishedSource extends SourceVersion {
  /** The names in the .dsc's Binary field. */
  readonly builds: readonly string[];
}

export type PublishResult =
  | { readonly outcome: "passed"; readonly revision: RevisionRecord }
  /** failed: the archive holds that version or a higher one; tmpfail: our tools or disk. */
  | { readonly outcome: "failed" | "tmpfail"; readonly reason: string };

/** What a publication would have the archive hold, before it does. */
export interface Outlook {
  readonly before: readonly NeedingPackage[];
  readonly after: readonly NeedingPackage[];
}

/** A file of a source package that the archive has; `path` is absolute. */
export interface ArchivedFile {
  readonly path: string;
  readonly sha256: string;
}

/** A fault in the archive's files; `where` is an absolute path. */
export interface ArchiveFault {
  /**
   * half-made and unreferenced: left over from killed runs, and cleared away by {@link Archive.tidy}.
   * hidden: clients see none of the revisions. broken-old: in a revision that is not current. broken,
   * wrong-file: clients are affected.
   */
  readonly kind:
    | "half-made"
    | "unreferenced"
    | "hidden"
    | "broken-old"
    | "broken"
    | "wrong-file";
  readonly where: string;
  readonly what: string;
  readonly revision?: number;
}

/** What a backup copies of an archive; paths are relative to the state folder. */
export interface KeptFiles {
  /** Files, and folders with all their contents. */
  readonly paths: readonly string[];
  /** A symbolic link and its target in the copy, where the last of the revisions is to be current. */
  readonly link: { readonly path: string; readonly target: string };
}

/** Who signs an archive, and for how long what clients see is valid. */
export interface Signing {
  /** Fingerprints of the keys that sign, the newest first. */
  readonly signedBy: readonly string[];
  /** When the newest came beside the other, ISO 8601 UTC; null where one key signs alone. */
  readonly rotatedAt: string | null;
  /** Whether a killed rotation is to be finished. */
  readonly unfinished: boolean;
  /** The series whose Release file ends first; null before the first revision. */
  readonly endsFirst: {
    readonly series: string;
    /** ISO 8601 UTC; null without an end. */
    readonly validUntil: string | null;
  } | null;
}

/**
 * A signed apt repository kept in revisions. Every method can be killed at any instant and repeated with
 * the same arguments and result. The signal stops the tools it runs and its waiting for locks.
 */
export interface Archive {
  /** Makes the signing key and revision 0 with these series, unless they exist. */
  init(series: readonly string[]): Promise<void>;
  repository(series: string): Promise<AptRepository>;
  /**
   * Copies source versions and their binaries from a PPA into the archive's series of the same name, bit
   * for bit. The new revision appears at once and is then checked as a client sees it. If this ticket's
   * packages are already in the current revision, only the check is done.
   *
   * @param agree sees what it would come to, and throws to prevent it
   */
  publish(
    from: PpaRef,
    what: readonly PublishedSource[],
    ticket: number,
    signal?: AbortSignal,
    agree?: (outlook: Outlook) => Promise<void>,
  ): Promise<PublishResult>;
  /** @throws Damage when there are revisions, and clients see none of them */
  exists(): Promise<boolean>;
  /** The file of that name in a source package that a kept revision has, or null. */
  fileOf(source: string, name: string): Promise<ArchivedFile | null>;
  /** The series that clients see. @throws UbuntuCiError (78) before the first revision, or when it is damaged */
  series(): Promise<readonly string[]>;
  /** @throws UbuntuCiError (78) before the first revision, or when it is damaged */
  current(): Promise<Revision>;
  /** @throws UbuntuCiError (2) when there is no such revision, (78) when it is damaged */
  read(revision: number): Promise<Revision>;
  /** The kept revisions, ascending: all, so many of the newest, or those that were made before a time. */
  revisions(which?: {
    readonly newest?: number;
    /** ISO 8601 UTC. */
    readonly before?: string;
  }): Promise<readonly RevisionRecord[]>;
  /** The newest revision that this ticket made, or undefined. */
  revisionOfTicket(ticket: number): Promise<RevisionRecord | undefined>;
  /** Makes a new revision with the contents of an older one. */
  revert(revision: number): Promise<Revision>;
  /**
   * Makes a new revision without what another one brought, and keeps what came later.
   *
   * @param agree sees what it would come to, and throws to prevent it; not called by an archive that has no indexes
   * @throws UbuntuCiError (2) when nothing of it is there as it was, or it is not known what was there before
   */
  undo(
    revision: number,
    agree?: (outlook: Outlook, series: string) => Promise<void>,
  ): Promise<Revision>;
  /** What {@link Archive.undo} would change, by series; nothing where the current revision has done it. */
  planUndo(
    revision: number,
  ): Promise<
    ReadonlyMap<string, Pick<WithoutLanding, "takenOut" | "changedSince">>
  >;
  /**
   * Makes the stable suite of a series show a revision, in one instant; makes no revision.
   *
   * @param before revisions that it showed lately: clients that have read them can still fetch their indexes
   */
  promote(
    series: string,
    revision: number,
    before: readonly number[],
  ): Promise<void>;
  /** Signs what clients see anew, with a later end, in one instant; makes no revision. */
  resign(): Promise<void>;
  /** An armoured detached signature of a text by the keys that sign; null where nothing is signed. */
  sign(text: string): Promise<string | null>;
  /** Makes a new key sign beside the present one. @throws UbuntuCiError (2) where two sign already */
  rotateKey(): Promise<void>;
  /** Makes the older of two keys sign no more, and removes it. */
  retireKey(): Promise<void>;
  /** Null for an archive that is not signed. @throws Damage when the key or a Release file is damaged */
  signing(): Promise<Signing | null>;
  /**
   * Removes revisions, and the pool files that only they refer to; with an empty list, leftovers of
   * killed runs.
   *
   * @throws UbuntuCiError (2) when one of them is current
   */
  removeRevisions(revisions: readonly number[]): Promise<void>;
  /**
   * Removes leftovers of killed runs, and moves these revisions and the pool files that no revision
   * refers to into a folder: nothing is deleted that was ever public.
   *
   * @throws UbuntuCiError (2) when one of them is current
   */
  tidy(revisions: readonly number[], aside: string): Promise<void>;
  /** The revisions that are complete, whatever clients see, ascending. */
  complete(): Promise<readonly RevisionRecord[]>;
  /** As {@link Archive.read}, whatever clients see. */
  readKept(revision: number): Promise<Revision>;
  /** Makes clients see a complete revision again. */
  showAgain(revision: number): Promise<void>;
  /** What a client would not get now, in words; a cheap look that reads no packages. */
  faultsForClients(): Promise<readonly string[]>;
  /**
   * Checks that the files of all revisions are there, and the contents of those that changed since they
   * were published and of some others; with `digests`, of all.
   */
  inspect(digests: boolean): Promise<readonly ArchiveFault[]>;
  /** What a backup has to copy to restore these revisions, the last of them current. */
  filesToKeep(revisions: readonly [number, ...number[]]): Promise<KeptFiles>;
}
