import { dirname, join } from "node:path";

import Database from "better-sqlite3";

import { messageOf } from "../domain/error.ts";
import { warnPerson } from "../host/cron-mail.ts";
import {
  appendLog,
  lastLinesOfFile,
  stateLogFile,
  logLine,
  parseLogLine,
} from "../host/log-file.ts";
import type { Connection } from "./database.ts";
import { firstValue } from "./database.ts";
import type { Event } from "../domain/event.ts";

const waiting = new WeakSet<Connection>();
let troubled = false;

/** Events per transaction; a state whose log was never written may have very many. */
const batch = 1000;

/**
 * Schedules writing the log right after the current transaction: transactions are synchronous, so the
 * next microtask runs after the commit. If the process is killed first, the next one that records an
 * event writes what is missing.
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
      // The event is safe in the state, and the next process tries again to log it.
      if (troubled) return;
      troubled = true;
      warnPerson(`warning: the log was not written: ${messageOf(thrown)}`);
    }
  });
}

/**
 * Appends the events that are missing in the log, one line each, under the state's write lock. After a
 * kill between the write and the commit, the log's last line shows how far the log has got.
 */
function exportEvents(db: Connection, shape: (event: Event) => object): void {
  const file = stateLogFile(join(dirname(db.name), "log"));
  // How far the log has got is not worth an fsync.
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

/** Number of the newest event; 0 before the first. */
export function newestEvent(db: Connection): number {
  return firstValue<number>(db, "SELECT max(id) FROM event") ?? 0;
}

/**
 * Number of the last event in the log. The log's last line is right even after a power failure; after a
 * rotation the number comes from the state and the previous log file.
 */
function exportedUpTo(db: Connection, file: string): number {
  const newest = newestEvent(db);
  // After a restore, event numbers start again below those in the log.
  const lastIn = (name: string) => {
    const last = lastEventIn(name);
    return last !== undefined && last <= newest ? last : undefined;
  };
  const recorded = firstValue<number>(db, "SELECT event FROM log_export") ?? 0;
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
