import { dirname, join } from "node:path";

import Database from "better-sqlite3";

import { messageOf } from "../domain/error.ts";
import { warnPerson } from "../host/cron-mail.ts";
import {
  appendLog,
  lastLinesOfFile,
  logFile,
  logLine,
  parseLogLine,
} from "../host/log-file.ts";
import type { Connection } from "./database.ts";
import type { Event } from "../domain/event.ts";

const waiting = new WeakSet<Connection>();
let troubled = false;

/** Events written at a time; a state that was never exported may have very many. */
const batch = 1000;

/**
 * Has the log written as soon as the transaction that is going on has ended: transactions are
 * synchronous, so the next microtask is behind its commit. A process killed before that loses
 * nothing: the next one that records something writes what is missing.
 */
export function exportSoon(
  db: Connection,
  shape: (event: Event) => object,
): void {
  if (db.memory || waiting.has(db)) return;
  waiting.add(db);
  queueMicrotask(() => {
    waiting.delete(db);
    try {
      if (db.open) {
        exportEvents(db, shape);
        return;
      }
      const again = new Database(db.name, { timeout: 30_000 });
      try {
        exportEvents(again, shape);
      } finally {
        again.close();
      }
    } catch (thrown) {
      // The event is in the state, which is what counts; the next process tries to log it again.
      if (troubled) return;
      troubled = true;
      warnPerson(`warning: the log was not written: ${messageOf(thrown)}`);
    }
  });
}

/**
 * Writes the events that the log does not have yet, in order, a line each. The write lock of the
 * state keeps other processes from doing the same. Killed between the lines and the commit, the last
 * line itself says how far the log has come.
 */
function exportEvents(db: Connection, shape: (event: Event) => object): void {
  const file = logFile(join(dirname(db.name), "log"));
  // What the log has come to is not worth a flush of the disk.
  db.pragma("synchronous = NORMAL");
  try {
    for (let more = true; more;) {
      more = db
        .transaction(() => {
          const events = db
            .prepare<[number, number], Event>(
              "SELECT * FROM event WHERE id > ? ORDER BY id LIMIT ?",
            )
            .all(exportedUpTo(db, file), batch);
          const last = events.at(-1);
          if (last === undefined) return false;
          appendLog(
            file,
            events.map((event) => logLine(shape(event))),
          );
          db.prepare("UPDATE log_export SET event = ?").run(last.id);
          return events.length === batch;
        })
        .immediate();
    }
  } finally {
    db.pragma("synchronous = FULL");
  }
}

/**
 * The last event the log has: by its own last line, which is true also when the power failed; in a
 * file that was just rotated, what the state and the file before it say.
 */
function exportedUpTo(db: Connection, file: string): number {
  const newest =
    db
      .prepare<[], { id: number | null }>("SELECT max(id) AS id FROM event")
      .get()?.id ?? 0;
  // The numbers of a state that was restored from a backup begin again below those of the log.
  const lastIn = (name: string) => {
    const last = lastEventIn(name);
    return last !== undefined && last <= newest ? last : undefined;
  };
  const recorded =
    db.prepare<[], { event: number }>("SELECT event FROM log_export").get()
      ?.event ?? 0;
  return lastIn(file) ?? Math.max(recorded, lastIn(`${file}.1`) ?? 0);
}

function lastEventIn(file: string): number | undefined {
  for (const bytes of [16 * 1024, 4 * 1024 * 1024]) {
    for (const line of lastLinesOfFile(file, bytes).reverse()) {
      const id = (parseLogLine(line) as { id?: unknown } | undefined)?.id;
      if (typeof id === "number") return id;
    }
  }
  return undefined;
}
