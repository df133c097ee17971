import type { StatePaths } from "../../host/paths.ts";
import type { UpgradeJournal } from "./journal.ts";
import type { Place } from "./place.ts";

/** What an upgrade works with. */
export interface Upgrading {
  readonly place: Place;
  readonly paths: StatePaths;
  /** The configuration file that was named, or null. */
  readonly configFile: string | null;
  readonly actor: string;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
  readonly warn: (line: string) => void;
  /** The change in progress: the tools that it runs are logged, and marked as part of it. */
  readonly journal?: UpgradeJournal;
}

/** A change of the program in progress. */
export type Change = Upgrading & { readonly journal: UpgradeJournal };

/** The options of `upgrade`. */
export interface UpgradeRequest {
  readonly to?: string;
  /** Minutes to wait for running commands. */
  readonly wait: number;
  readonly rollback?: boolean;
  readonly force?: boolean;
}

/** The result of an upgrade. */
export interface UpgradeReport {
  readonly action: "upgraded" | "rolled back" | "finished" | "nothing to do";
  readonly from: string;
  readonly to: string;
  readonly schema: { readonly from: number; readonly to: number } | null;
  /** Copy of the state from before the upgrade. */
  readonly backup: string | null;
  /** Folder of the release that was replaced. */
  readonly previous: string | null;
}
