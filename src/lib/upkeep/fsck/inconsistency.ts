import type { LocalEngine } from "../../engine/engine.ts";
import type { Advice } from "../../domain/remedy.ts";
import { advice, remedy } from "../../domain/remedy.ts";

/** Something that is wrong with the state. */
export interface Inconsistency {
  /** Which check found it: state, run, store, archive, ppa, layer, scratch, key, mode. */
  readonly check: string;
  readonly what: string;
  /** The path, ticket or row that is wrong. */
  readonly where: string;
  /** What to do about it. */
  readonly remedy: Advice;
  /** Whether `--mend` repairs it. */
  readonly mendable: boolean;
  readonly mended: boolean;
}

/** A finding, with its repair where that loses nothing. The repair first checks again. */
export interface Found extends Omit<Inconsistency, "mendable" | "mended"> {
  readonly mend?: () => unknown;
}

export interface LookOptions {
  /** Check the digest of every file, not only its size. */
  readonly digests: boolean;
  /** Folder to move files to that no row mentions. */
  readonly aside: string;
  readonly signal: AbortSignal;
}

/** A check of one part of the state. */
export type Look = (
  engine: LocalEngine,
  options: LookOptions,
) => readonly Found[] | Promise<readonly Found[]>;

export const mending = remedy("fsck", [], { mend: true });
export const fromBackup = advice`take it from a backup (${remedy("restore")})`;
