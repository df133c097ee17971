import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";

import Database from "better-sqlite3";

import { notNow } from "../domain/error.ts";
import { syncPath } from "../files/atomic-file.ts";
import { firstValue, schemaOf } from "./database.ts";
import type { NewEvent } from "./events.ts";
import { recordEvent } from "./events.ts";
import { newestEvent } from "./log-export.ts";
import { integrityProblems, takeSnapshot, withFile } from "./snapshot.ts";
import { advice, remedy } from "../domain/remedy.ts";

/** How far a state file has got, whichever version of the program wrote it. */
export interface StateVersion {
  /** Number of its last migration; 0 for an empty file. */
  readonly schema: number;
  /** Number of its last event. */
  readonly lastEvent: number;
}

/** How many copies made before upgrades are kept. */
const kept = 5;

/** Reads a state file's version without migrating it. Waits for a migration in progress. */
export function readStateVersion(file: string): StateVersion {
  return withFile(file, (db) =>
    // A write transaction, so that SQLite first recovers the changes of a killed writer.
    db.transaction(() => versionOf(db)).immediate(),
  );
}

function versionOf(db: Database.Database): StateVersion {
  const schema = schemaOf(db);
  return { schema, lastEvent: schema === 0 ? 0 : newestEvent(db) };
}

/** Counts the events after one, except those about the program itself. */
export function eventsSince(file: string, event: number): number {
  return withFile(
    file,
    (db) =>
      firstValue<number>(
        db,
        `SELECT count(*) AS count FROM event WHERE id > ?
             AND subject NOT IN ('maintenance', 'program', 'lock')`,
        event,
      ) ?? 0,
  );
}

/**
 * Makes a consistent copy of a state file, which may be in use, and checks it. The copy appears
 * atomically; the oldest copies in its folder are removed.
 *
 * @throws UbuntuCiError (75) when the copy is damaged
 */
export async function copyState(
  file: string,
  to: string,
): Promise<StateVersion> {
  mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
  const unfinished = `${to}.part`;
  rmSync(unfinished, { force: true });
  const db = new Database(file, { timeout: 30_000, fileMustExist: true });
  let version: StateVersion;
  try {
    const copy = await takeSnapshot(db, unfinished);
    try {
      const [problem] = integrityProblems(copy);
      if (problem !== undefined)
        throw notNow(
          `the copy of ${file} is not sound: ${problem}`,
          advice`check the disk, and ${remedy("fsck")}`,
        );
      version = versionOf(copy);
    } finally {
      copy.close();
    }
  } finally {
    db.close();
  }
  renameSync(unfinished, to);
  await syncPath(dirname(to));
  const prefix = /^[^0-9]*/.exec(basename(to))?.[0] ?? "";
  const older = readdirSync(dirname(to))
    .filter((name) => prefix !== "" && name.startsWith(prefix))
    .filter((name) => name.endsWith(".sqlite"))
    .sort();
  for (const name of older.slice(0, -kept)) rmSync(join(dirname(to), name));
  return version;
}

/**
 * Replaces a state file's contents by those of a copy, atomically for readers. Event numbers that were
 * used since the copy was made are not used again.
 */
export async function restoreStateFile(
  copy: string,
  file: string,
): Promise<void> {
  const { lastEvent } = existsSync(file)
    ? readStateVersion(file)
    : { lastEvent: 0 };
  const db = new Database(copy, { timeout: 30_000, fileMustExist: true });
  try {
    await db.backup(file);
  } finally {
    db.close();
  }
  withFile(file, (restored) => {
    restored.pragma("journal_mode = WAL");
    restored
      .prepare(
        "UPDATE sqlite_sequence SET seq = ? WHERE name = 'event' AND seq < ?",
      )
      .run(lastEvent, lastEvent);
  });
}

/**
 * Records an event about the program, even in a state file of another version, unless the same event was
 * recorded after event number `since`.
 */
export function recordOnce(file: string, since: number, event: NewEvent): void {
  withFile(file, (db) => {
    db.transaction(() => {
      const there = db
        .prepare(
          "SELECT 1 FROM event WHERE id > ? AND subject = ? AND what = ? AND to_state IS ?",
        )
        .get(since, event.subject, event.what, event.to_state ?? null);
      if (there === undefined) recordEvent(db, event);
    }).immediate();
  });
}
