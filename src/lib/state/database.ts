import { existsSync } from "node:fs";
import { dirname } from "node:path";

import Database from "better-sqlite3";

import { misconfigured, notNow } from "../domain/error.ts";
import { makeNamedFolder } from "../files/make-folder.ts";
import { migrations } from "./migrations.ts";

export type Connection = Database.Database;

/**
 * Opens the state file, creating or migrating it as needed. Before a migration, a copy of a file that is
 * not empty is kept as `state.sqlite.before-N`.
 *
 * @throws UbuntuCiError (78) when the file is newer than this program, (75) when it cannot be opened
 */
export function openDatabase(file: string): Connection {
  let db: Connection | undefined;
  try {
    if (!existsSync(file)) makeNamedFolder(dirname(file));
    db = new Database(file, { timeout: 30_000 });
    db.pragma("journal_mode = WAL");
    db.pragma("synchronous = FULL");
    db.pragma("foreign_keys = ON");
    migrate(db, file);
    return db;
  } catch (thrown) {
    db?.close();
    throw unusable(file, thrown);
  }
}

/**
 * Opens an existing state file of this program's version; undefined for any other. For use in
 * maintenance, when a file must be neither created nor migrated.
 */
export function openCurrentDatabase(file: string): Connection | undefined {
  if (!existsSync(file)) return undefined;
  const db = new Database(file, { timeout: 30_000, fileMustExist: true });
  try {
    if (schemaOf(db) === migrations.length) {
      db.pragma("synchronous = FULL");
      db.pragma("foreign_keys = ON");
      return db;
    }
  } catch (thrown) {
    db.close();
    throw unusable(file, thrown);
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
  const query = db.prepare<unknown[], Value>(sql).pluck();
  return query.get(...parameters) ?? null;
}

/** The first column of every row that a query finds. */
export function firstColumn<Value>(
  db: Connection,
  sql: string,
  ...parameters: unknown[]
): Value[] {
  const query = db.prepare<unknown[], Value>(sql).pluck();
  return query.all(...parameters);
}

function unusable(file: string, thrown: unknown): unknown {
  return thrown instanceof Database.SqliteError
    ? notNow(
        `the state file ${file} cannot be used: ${thrown.message}`,
        "check its owner, its disk, and that it is a state file of ubuntu-ci",
        thrown,
      )
    : thrown;
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
