import { readFileSync, rmSync } from "node:fs";

import { writeFileAtomic } from "../files/atomic-file.ts";
import { now } from "../host/clock.ts";
import { exclusively, lockFile } from "./exclusively.ts";
import type { Maintenance } from "./maintenance.ts";
import type { StatePaths } from "../host/paths.ts";
import { heldBackFile } from "./toggle.ts";

/** The commands that maintenance held back. Kept in a file, because the state is read-only in maintenance. */
export interface HeldBack {
  readonly maintenance: Maintenance;
  /** Whether the history already records that maintenance was switched on. */
  readonly recorded: boolean;
  readonly commands: Readonly<
    Record<
      string,
      { readonly first: string; readonly last: string; readonly times: number }
    >
  >;
}

type HeldBackPaths = Pick<StatePaths, "run" | "locks">;

/** What the current maintenance held back, or a past one whose end is not recorded yet; null when there is none. */
export function readHeldBack(runFolder: string): HeldBack | null {
  try {
    return JSON.parse(
      readFileSync(heldBackFile(runFolder), "utf8"),
    ) as HeldBack;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return null;
    if (thrown instanceof SyntaxError) return null; // edited by hand: the file is rewritten
    throw thrown;
  }
}

/** Notes that maintenance is on and that the history records it. */
export async function noteMaintenance(
  paths: HeldBackPaths,
  maintenance: Maintenance,
): Promise<void> {
  await change(paths, (before) => ({
    maintenance,
    recorded: true,
    commands: isSame(before, maintenance) ? before.commands : {},
  }));
}

/**
 * Notes that a command was held back.
 *
 * @returns whether this is the first time for the command, and whether this maintenance had not been
 *   noted before
 */
export async function noteHeldBack(
  paths: HeldBackPaths,
  maintenance: Maintenance,
  command: string,
): Promise<{ readonly first: boolean; readonly noticed: boolean }> {
  const at = now();
  let first = false;
  let noticed = false;
  await change(paths, (before) => {
    const known = isSame(before, maintenance) ? before : undefined;
    const entry = known?.commands[command];
    first = entry === undefined;
    noticed = known === undefined;
    return {
      maintenance,
      recorded: known?.recorded ?? false,
      commands: {
        ...known?.commands,
        [command]: {
          first: entry?.first ?? at,
          last: at,
          times: (entry?.times ?? 0) + 1,
        },
      },
    };
  });
  return { first, noticed };
}

/** Passes the notes of a maintenance that has ended to `record`, and deletes them once that succeeded. */
export async function endHeldBack(
  paths: HeldBackPaths,
  record: (ended: HeldBack) => void,
): Promise<void> {
  await exclusively(lockFile(paths, "held-back"), () => {
    const ended = readHeldBack(paths.run);
    if (ended !== null) record(ended);
    rmSync(heldBackFile(paths.run), { force: true });
    return Promise.resolve();
  });
}

/** The commands that were held back, in words: "land since 2026-… (12 times)". */
export function heldBackInWords({ commands }: HeldBack): string {
  return Object.entries(commands)
    .map(
      ([name, { first, times }]) =>
        `${name} since ${first}${times > 1 ? ` (${times} times)` : ""}`,
    )
    .join(", ");
}

function isSame(
  before: HeldBack | null,
  maintenance: Maintenance,
): before is HeldBack {
  return before?.maintenance.since === maintenance.since;
}

async function change(
  paths: HeldBackPaths,
  next: (before: HeldBack | null) => HeldBack,
): Promise<void> {
  await exclusively(lockFile(paths, "held-back"), async () => {
    await writeFileAtomic(
      heldBackFile(paths.run),
      `${JSON.stringify(next(readHeldBack(paths.run)))}\n`,
    );
  });
}
