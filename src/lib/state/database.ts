import { accessSync, constants, existsSync, statfsSync } from "node:fs";
import { dirname } from "node:path";

import Database from "better-sqlite3";

import {
  bringBack,
  Damage,
  misconfigured,
  notNow,
  saysDamage,
  troubleOfMachine,
  UbuntuCiError,
} from "../domain/error.ts";
import { makeNamedFolder } from "../files/make-folder.ts";
import { isThere } from "../files/optional-file.ts";
import { migrations } from "./migrations.ts";

export type Connection = Database.Database;

/**
 * Opens the state file, and migrates it as needed. Before a file with contents is migrated, a copy is
 * set aside as `state.sqlite.before-N`.
 *
 * @throws UbuntuCiError (78) when the file is missing, damaged, not for us to read, or newer than this
 *   program; (75) when it cannot be used just now
 */
export function openDatabase(file: string): Connection {
  if (!isThere(file))
    throw new Damage(`the state file ${file} is missing`, bringBack);
  return openOrMake(file, (schema) => {
    // SQLite takes a file that was cut to nothing for a new database.
    if (schema === 0)
      throw new Damage(`the state file ${file} is empty`, bringBack);
  });
}

/** As {@link openDatabase}, and makes the file, with its folder, where there is none. Only a new state begins so. */
export function makeDatabase(file: string): Connection {
  if (!isThere(file)) makeNamedFolder(dirname(file));
  return openOrMake(file, () => undefined);
}

/** @param judge may refuse a file of that schema */
function openOrMake(file: string, judge: (schema: number) => void): Connection {
  let db: Connection | undefined;
  try {
    db = new Database(file, { timeout: 30_000 });
    judge(schemaOf(db));
    db.pragma("journal_mode = WAL");
    db.pragma("synchronous = FULL");
    db.pragma("foreign_keys = ON");
    migrate(db, file);
    return db;
  } catch (thrown) {
    db?.close();
    throw troubleOfStateFile(file, thrown);
  }
}

/**
 * Opens an existing state file of this program's version; undefined for any other. For use in
 * maintenance, when a file must be neither created nor migrated.
 */
export function openCurrentDatabase(file: string): Connection | undefined {
  if (!isThere(file)) return undefined;
  let db: Connection | undefined;
  try {
    db = new Database(file, { timeout: 30_000, fileMustExist: true });
    if (schemaOf(db) === migrations.length) {
      db.pragma("synchronous = FULL");
      db.pragma("foreign_keys = ON");
      return db;
    }
  } catch (thrown) {
    db?.close();
    throw troubleOfStateFile(file, thrown);
  }
  db.close();
  return undefined;
}

const statements = new WeakMap<Connection, Map<string, Database.Statement>>();

/** Prepares a statement once per connection: preparing a small query takes far longer than running it. */
export function prepared<Parameters extends unknown[], Row>(
  db: Connection,
  sql: string,
): Database.Statement<Parameters, Row> {
  let kept = statements.get(db);
  if (kept === undefined)
    statements.set(db, (kept = new Map<string, Database.Statement>()));
  let statement = kept.get(sql);
  if (statement === undefined) kept.set(sql, (statement = db.prepare(sql)));
  return statement as Database.Statement<Parameters, Row>;
}

/** The first column of the first row that a query finds; null when it finds no row. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller knows what its query selects
export function firstValue<Value>(
  db: Connection,
  sql: string,
  ...parameters: unknown[]
): Value | null {
  return plucking<Value>(db, sql).get(...parameters) ?? null;
}

/** The first column of every row that a query finds. */
export function firstColumn<Value>(
  db: Connection,
  sql: string,
  ...parameters: unknown[]
): Value[] {
  return plucking<Value>(db, sql).all(...parameters);
}

/** {@link prepared}, for the first column alone. The comment tells it from one of all columns. */
function plucking<Value>(
  db: Connection,
  sql: string,
): Database.Statement<unknown[], Value> {
  return prepared<unknown[], Value>(db, `/* first */ ${sql}`).pluck();
}

/**
 * What is the matter with a state file that SQLite failed on: damage, or what keeps it from being read or
 * written. SQLite says little about the latter, so the system is asked.
 */
export function troubleOfStateFile(file: string, thrown: unknown): unknown {
  if (!(thrown instanceof Database.SqliteError)) return thrown;
  if (saysDamage(thrown))
    return new Damage(
      `the state file ${file} is damaged: ${thrown.message}`,
      undefined,
      thrown,
    );
  const found = obstacle(file);
  // Without an obstacle these two say nothing about the cause.
  const vague = /^SQLITE_(?:CANTOPEN|READONLY)/.test(thrown.code);
  const known = vague && found === undefined ? found : (found ?? thrown);
  const trouble = troubleOfMachine(known);
  if (trouble?.hint === undefined)
    return notNow(
      `the state file ${file} cannot be used: ${thrown.message}`,
      "check its owner, its disk, and that it is a state file of ubuntu-ci",
      thrown,
    );
  return new UbuntuCiError(
    `the state file ${file} cannot be used: ${trouble.message}`,
    { exitCode: trouble.exitCode, hint: trouble.hint, cause: thrown },
  );
}

/** The system's error that reading or writing a file, and those that SQLite makes beside it, would meet. */
function obstacle(file: string): unknown {
  const { R_OK, W_OK, X_OK } = constants;
  const folder = dirname(file);
  try {
    accessSync(folder, W_OK | X_OK);
    if (isThere(file)) accessSync(file, R_OK | W_OK);
    const { bavail } = statfsSync(folder);
    if (bavail > 0) return undefined;
    return Object.assign(
      new Error(`nothing is free on the disk of ${folder}`),
      {
        code: "ENOSPC",
      },
    );
  } catch (thrown) {
    return thrown;
  }
}

/** Number of the last migration that a state file has had; 0 for an empty file. */
export function schemaOf(db: Connection): number {
  return db.pragma("user_version", { simple: true }) as number;
}

function migrate(db: Connection, file: string): void {
  const latest = migrations.length;
  const found = schemaOf(db);
  if (found === latest) return;
  if (found > latest) {
    throw misconfigured(
      `the state file ${file} was written by a newer version (schema ${found}, this program knows ${latest})`,
      "use the newer ubuntu-ci again, or restore a backup made before the upgrade",
    );
  }
  if (found > 0) {
    const aside = `${file}.before-${found + 1}`;
    if (!existsSync(aside)) db.prepare("VACUUM INTO ?").run(aside);
  }
  const upgrade = db.transaction(() => {
    // Another process may have migrated the file while this one waited for the write lock.
    for (let next = schemaOf(db) + 1; next <= latest; next += 1) {
      db.exec(migrations[next - 1] ?? "");
      db.pragma(`user_version = ${next}`);
    }
  });
  upgrade.immediate();
}
