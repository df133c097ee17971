import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import {
  makeDatabase,
  openCurrentDatabase,
  openDatabase,
  type Connection,
} from "./database.ts";
import { migrations } from "./migrations.ts";
import { inspectFile, quickProblem } from "./snapshot.ts";

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "database-"));
  file = join(folder, "state.sqlite");
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function withDatabase<T>(use: (db: Connection) => T): T {
  const db = makeDatabase(file);
  try {
    return use(db);
  } finally {
    db.close();
  }
}

const versionOf = (path: string): unknown => {
  const db = new Database(path, { readonly: true });
  try {
    return db.pragma("user_version", { simple: true });
  } finally {
    db.close();
  }
};

/** A file as an older program left it, with a person and an event in it. */
function writeOld(version: number): void {
  const db = new Database(file);
  for (const migration of migrations.slice(0, version)) db.exec(migration);
  db.pragma(`user_version = ${version}`);
  db.exec(`INSERT INTO person (name, email) VALUES ('Dev', 'dev@example.com');
    INSERT INTO event (at, actor, subject, subject_id, what) VALUES ('2026-01-01T00:00:00.000Z', 'dev', 'ticket', '1', 'created')`);
  db.close();
}

describe("opening the state file", () => {
  test("makes it, with its folder, and again changes nothing", () => {
    file = join(folder, "new/state/state.sqlite");
    withDatabase((db) => {
      expect(db.pragma("user_version", { simple: true })).toBe(
        migrations.length,
      );
      expect(db.pragma("journal_mode", { simple: true })).toBe("wal");
      expect(db.pragma("foreign_keys", { simple: true })).toBe(1);
      // FULL: a commit that returned survives a power failure.
      expect(db.pragma("synchronous", { simple: true })).toBe(2);
    });
    const before = readFileSync(file);
    withDatabase(() => undefined);
    expect(readFileSync(file).equals(before)).toBe(true);
    expect(existsSync(`${file}.before-1`)).toBe(false);
  });

  test.each(migrations.slice(1).map((_, index) => index + 1))(
    "brings a file of schema %i up to date, and keeps what is in it and a copy",
    (old) => {
      writeOld(old);
      withDatabase((db) => {
        expect(db.pragma("user_version", { simple: true })).toBe(
          migrations.length,
        );
        expect(db.prepare("SELECT email FROM person").pluck().all()).toEqual([
          "dev@example.com",
        ]);
        expect(db.prepare("SELECT what FROM event").pluck().all()).toEqual([
          "created",
        ]);
        expect(db.pragma("foreign_key_check")).toEqual([]);
        expect(db.pragma("integrity_check", { simple: true })).toBe("ok");
      });
      expect(versionOf(`${file}.before-${old + 1}`)).toBe(old);
    },
  );

  test("a migrated file has the schema of a new one", () => {
    const schema = (db: Connection) =>
      db
        .prepare(
          "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name",
        )
        .all();
    writeOld(1);
    const migrated = withDatabase(schema);
    file = join(folder, "new.sqlite");
    expect(migrated).toEqual(withDatabase(schema));
  });

  test("refuses a file of a newer program, and leaves it alone", () => {
    withDatabase((db) => db.pragma(`user_version = ${migrations.length + 1}`));
    const before = readFileSync(file);
    expect(() => makeDatabase(file)).toThrow(
      expect.objectContaining({
        exitCode: 78,
        message: expect.stringContaining(
          "was written by a newer version",
        ) as string,
      }),
    );
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  const saying = (exitCode: number, words: string): unknown =>
    expect.objectContaining({
      exitCode,
      message: expect.stringContaining(
        `the state file ${file} ${words}`,
      ) as string,
    });

  test("says that noise is damage, and that a folder cannot be used", () => {
    writeFileSync(file, "this is not a database, by far. ".repeat(200));
    for (const open of [openDatabase, makeDatabase, openCurrentDatabase])
      expect(() => open(file)).toThrow(saying(78, "is damaged"));
    expect(inspectFile(file)).toEqual(["file is not a database"]);
    rmSync(file);
    mkdirSync(file);
    for (const open of [openDatabase, makeDatabase, openCurrentDatabase])
      expect(() => open(file)).toThrow(saying(75, "cannot be used"));
  });

  test("makes none where one is missing, and takes one cut to nothing for no new one", () => {
    expect(() => openDatabase(file)).toThrow(saying(78, "is missing"));
    expect(existsSync(file)).toBe(false);
    writeFileSync(file, "");
    expect(() => openDatabase(file)).toThrow(saying(78, "is empty"));
    expect(readFileSync(file)).toHaveLength(0);
  });

  test("does not take what may not be read or written for damaged", () => {
    withDatabase(() => undefined);
    chmodSync(file, 0);
    for (const look of [openDatabase, openCurrentDatabase, inspectFile])
      expect(() => look(file)).toThrow(
        saying(78, "cannot be used: permission is denied"),
      );
    chmodSync(file, 0o600);
    chmodSync(folder, 0o500);
    expect(() => openDatabase(file)).toThrow(
      saying(78, "cannot be used: perm"),
    );
    chmodSync(folder, 0o700);
    expect(inspectFile(file)).toEqual([]);
  });

  test("a short look finds a damaged page", () => {
    withDatabase((db) => {
      db.exec("CREATE TABLE filler (x TEXT) STRICT");
      const fill = db.prepare("INSERT INTO filler VALUES (?)");
      for (let count = 0; count < 200; count += 1) fill.run("x".repeat(500));
      expect(quickProblem(db)).toBeNull();
    });
    const contents = readFileSync(file);
    contents.fill(0, contents.length - 3 * 4096);
    writeFileSync(file, contents);
    withDatabase((db) => expect(quickProblem(db)).toMatch(/./));
    expect(inspectFile(file)).not.toEqual([]);
  });
});

describe("what the schema holds to", () => {
  test("events are never changed", () => {
    withDatabase((db) => {
      db.exec(
        "INSERT INTO event (at, actor, subject, subject_id, what) VALUES ('now', 'dev', 'ticket', '1', 'created')",
      );
      expect(() => db.exec("UPDATE event SET what = 'never'")).toThrow(
        "events are append-only",
      );
    });
  });

  test("nothing refers to what is not there, and columns have their types", () => {
    withDatabase((db) => {
      expect(() =>
        db.exec(
          "INSERT INTO subticket (ticket, upload, step, status) VALUES (1, 1, 100, 'waiting')",
        ),
      ).toThrow("FOREIGN KEY");
      expect(() =>
        db.exec("INSERT INTO person (name, email) VALUES ('Dev', x'00')"),
      ).toThrow("cannot store BLOB value in TEXT column");
    });
  });
});
