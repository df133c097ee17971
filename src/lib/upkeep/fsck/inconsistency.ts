import type { LocalEngine } from "../../engine/engine.ts";
import type { Advice } from "../../domain/remedy.ts";
import { advice, remedy } from "../../domain/remedy.ts";

/** Something that is not as it should be. */
export interface Inconsistency {
  /** Which look found it: state, run, store, archive, ppa, layer, scratch, key, mode. */
  readonly check: string;
  readonly what: string;
  /** A path, or the ticket or row it is about. */
  readonly where: string;
  /** What to do, or what was done. */
  readonly remedy: Advice;
  /** Whether `--mend` puts it right. */
  readonly mendable: boolean;
  readonly mended: boolean;
}

/** A finding, with what puts it right where that loses nothing; it looks again before it does. */
export interface Found extends Omit<Inconsistency, "mendable" | "mended"> {
  readonly mend?: () => unknown;
}

export interface LookOptions {
  /** Read every file, instead of its size alone. */
  readonly digests: boolean;
  /** Folder that what no row speaks of is moved to. */
  readonly aside: string;
}

/** One look at a part of the state. */
export type Look = (
  engine: LocalEngine,
  options: LookOptions,
) => readonly Found[] | Promise<readonly Found[]>;

export const mending = remedy("fsck", [], { mend: true });
export const fromBackup = advice`take it from a backup (${remedy("restore")})`;
