import { join } from "node:path";

import type { Account } from "../../host/account.ts";
import type { StatePaths } from "../../host/paths.ts";
import type { Place } from "./place.ts";
import type { Tools } from "./run-tool.ts";
import type { ProgramVersion } from "./target.ts";

/** What an upgrade works with. */
export interface Upgrading {
  readonly place: Place;
  readonly paths: StatePaths;
  /** The configuration that was named, or null. */
  readonly configFile: string | null;
  readonly actor: string;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
  readonly warn: (line: string) => void;
}

export interface UpgradeRequest {
  readonly to?: string;
  readonly rollback: boolean;
  readonly force: boolean;
  /** How long to wait for what runs. */
  readonly waitMinutes: number;
}

/** What came of it. */
export interface UpgradeReport {
  readonly action: "upgraded" | "rolled back" | "finished" | "nothing to do";
  readonly from: string;
  readonly to: string;
  readonly schema: { readonly from: number; readonly to: number } | null;
  /** Copy of the state from before. */
  readonly backup: string | null;
  /** Where the program of before is. */
  readonly previous: string | null;
}

/** What the tools of the last upgrade printed. */
export function upgradeLogFile(place: Place): string {
  return join(place.releases, "upgrade.log");
}

/** A version as people read it: 0.2.0 (1a2b3c4d5). */
export function nameOf({ version, commit }: ProgramVersion): string {
  return commit === null ? version : `${version} (${commit.slice(0, 9)})`;
}

/** That account when this process is root and it is not; else null: nothing to change. */
export function rootFor(owner: Account): Account | null {
  return process.geteuid?.() === 0 && owner.uid !== 0 ? owner : null;
}

/** How tools are run on the program's files; with the id of an upgrade they are logged and marked as its. */
export function toolsOf(work: Upgrading, id: string | null): Tools {
  return {
    account: rootFor(work.place.owner),
    log: id === null ? null : upgradeLogFile(work.place),
    id,
    signal: work.signal,
  };
}
