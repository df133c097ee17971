// Builds states as years of use leave them, for scale.js: in minutes, since what the program would do
// ticket by ticket is written in bulk, in the shapes that the program writes.
import { createHash } from "node:crypto";
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { execFileSync } from "node:child_process";
import { join } from "node:path";

import Database from "better-sqlite3";

import { smallDeb } from "../../dist/lib/backends/builder/small-deb.js";
import {
  groupOf,
  writeLists,
} from "../../dist/lib/backends/archive/package-lists.js";

/** Tickets come at this pace, which makes 100,000 of them ten years. */
const minutesApart = 50;
/** Only so many of the newest tickets still have files: retention removes those of the others. */
const withFiles = 500;
/** Of the newest landings, so many are not tested yet. */
const untested = 20;

const digest = (algorithm, bytes) =>
  createHash(algorithm).update(bytes).digest("hex");
const architecture = execFileSync("dpkg", ["--print-architecture"], {
  encoding: "utf8",
}).trim();

/** Every eleventh ticket failed; one source came with every hundredth, the others in turn. */
const isDone = (ticket) => ticket % 11 !== 0;
const sourceOf = (ticket, sources) =>
  ticket % 100 === 0 ? 1 : 1 + (ticket % sources);
const nameOf = (source) => `source-${source}`;
const versionOf = (ticket) => `0.${ticket}`;

/**
 * Fills an installation that `init` has just made, and lands the archive's contents with a real revert.
 *
 * @param state its folder
 * @param size { tickets, sources, revisions }
 * @param ci runs a command on it
 */
export async function fill(state, size, ci) {
  const started = Date.now() - (size.tickets + 1) * minutesApart * 60_000;
  const at = (ticket) =>
    new Date(started + ticket * minutesApart * 60_000).toISOString();
  const published = await fillArchive(join(state, "archive"), size, at);
  fillDatabase(join(state, "state.sqlite"), size, at);
  fillStore(join(state, "store"), size);
  // Contents of the one before the last: aptly makes real indexes of them.
  ci("archive", "revert", String(published.at(-2)), "--reason", "a test");
  shareIndexes(join(state, "archive"), published);
  // The report is up to date: what it costs to make all of it is measured elsewhere.
  const report = join(state, "report/.made-from.json");
  const made = JSON.parse(readFileSync(report, "utf8"));
  const db = new Database(join(state, "state.sqlite"));
  const event = db.prepare("SELECT max(id) FROM event").pluck().get();
  db.close();
  writeFileSync(report, JSON.stringify({ ...made, event }));
}

/** The rows of finished tickets, each with its runs, files, tests, landing and history. */
function fillDatabase(file, { tickets, sources }, at) {
  const db = new Database(file);
  db.pragma("synchronous = OFF");
  const moment = `strftime('%Y-%m-%dT%H:%M:%fZ', '${at(0)}', '+' || (n * ${minutesApart}) || ' minutes')`;
  const source = `CASE WHEN n % 100 = 0 THEN 1 ELSE 1 + n % ${sources} END`;
  const done = "n % 11 <> 0";
  const gone = `iif(n <= ${tickets - withFiles}, ${moment}, NULL)`;
  const sha256 = digest("sha256", fileContents);
  const everyTicket = `WITH RECURSIVE seq(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM seq WHERE n < ${tickets})`;
  const everyRun = `${everyTicket}, step(code, place) AS (VALUES (100, 0), (200, 1), (300, 2), (400, 3), (500, 4))`;
  db.transaction(() => {
    for (const statement of [
      "INSERT INTO person (id, name, email) VALUES (1, 'Dev', 'dev@example.com')",
      `WITH RECURSIVE seq(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM seq WHERE n < ${sources}) INSERT INTO source_package (id, name) SELECT n, 'source-' || n FROM seq`,
      "INSERT INTO binary_package (name, source_package) SELECT name, id FROM source_package",
      `${everyTicket} INSERT INTO source_package_upload (id, source_package, version, changed_by, dsc)
         SELECT n, ${source}, '0.' || n, 'Dev <dev@example.com>', 'x.dsc' FROM seq`,
      `${everyTicket} INSERT INTO ticket (id, title, description, owner, series, step, status, archive_revision,
           failure_step, failure_kind, failure_reason, created_at, updated_at)
         SELECT n, 'ticket ' || n, '', 1, 'bookworm', iif(${done}, 1000, 999), iif(${done}, 'done', 'failed'), iif(${done}, n, NULL),
           iif(${done}, NULL, 500), iif(${done}, NULL, 'package'), iif(${done}, NULL, 'it broke'), ${moment}, ${moment} FROM seq`,
      `${everyTicket} INSERT INTO subticket (id, ticket, upload, step, status, binaries)
         SELECT n, n, n, iif(${done}, 1000, 999), iif(${done}, 'done', 'failed'), '["source-' || (${source}) || '"]' FROM seq`,
      `${everyRun} INSERT INTO run (ticket, step, attempt, host, pid, boot_id, process_start, started_at, heartbeat_at, finished_at, outcome)
         SELECT n, code, 1, 'ci', 1, 'x', '1', ${moment}, ${moment}, ${moment}, iif(code < 500 OR ${done}, 'passed', 'failed') FROM seq, step ORDER BY n, code`,
      `${everyRun} INSERT INTO artifact (ticket, subticket, name, type, container, size, sha256, created_at, expired_at)
         SELECT n, n, 'file-' || place, CASE place WHEN 0 THEN 'SPU' WHEN 1 THEN 'LOGS' WHEN 2 THEN 'RESULTS' ELSE 'LOGS' END,
           'ticket.' || n, ${fileContents.length}, '${sha256}', ${moment}, ${gone} FROM seq, step`,
      `${everyTicket} INSERT INTO test_result (ticket, run, package, name, result, seconds, detail)
         SELECT n, n * 5 - 1, 'source-' || (${source}), 'smoke', 'pass', 1.0, '' FROM seq`,
      `${everyTicket} INSERT INTO image (ticket, layers, digest, manifest) SELECT n, '[]', '0', '[]' FROM seq`,
      `${everyTicket} INSERT INTO publication (revision, series, source, version, ticket, created_at)
         SELECT n, 'bookworm', 'source-' || (${source}), '0.' || n, n, ${moment} FROM seq WHERE ${done}`,
      `${everyTicket} INSERT INTO landing (series, revision, since, ticket, landed_at, qa)
         SELECT 'bookworm', n, n, n, ${moment}, iif(n > ${tickets - untested}, 'needs-testing', 'ok') FROM seq WHERE ${done}`,
      `${everyRun} INSERT INTO event (at, actor, subject, subject_id, what, from_state, to_state, run, ticket)
         SELECT ${moment}, 'ci@ci', 'ticket', CAST(n AS TEXT), 'passed', CAST(code AS TEXT), CAST(code + 100 AS TEXT), n * 5 - 4 + place, n FROM seq, step`,
    ])
      db.exec(statement);
  })();
  db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  db.close();
}

const fileContents = "a line of a log\n".repeat(60);

function fillStore(store, { tickets }) {
  for (
    let ticket = Math.max(1, tickets - withFiles + 1);
    ticket <= tickets;
    ticket += 1
  ) {
    const folder = join(store, `ticket.${ticket}`);
    mkdirSync(folder, { mode: 0o700 });
    for (let place = 0; place < 5; place += 1)
      writeFileSync(join(folder, `file-${place}`), fileContents, {
        mode: 0o600,
      });
  }
}

/**
 * The newest revisions, with the pool files of all that they publish. Returns their numbers; the last
 * is what clients see.
 */
async function fillArchive(root, { tickets, sources, revisions }, at) {
  const landed = Array.from({ length: tickets }, (_, n) => n + 1).filter(
    isDone,
  );
  const kept = landed.slice(-revisions);
  /** What each source has: source -> packages; and by group, the sources. */
  const current = new Map();
  const members = new Map();
  for (const ticket of landed) {
    const source = sourceOf(ticket, sources);
    if (ticket < kept[0]) current.set(source, ticket);
  }
  for (const [source, ticket] of current)
    current.set(source, packagesOf(root, source, ticket));
  for (let source = 1; source <= sources; source += 1) {
    const group = groupOf(nameOf(source));
    members.set(group, [...(members.get(group) ?? []), source]);
  }
  const listsOf = async (some) =>
    (
      await writeLists(root, {
        bookworm: some.flatMap((source) => current.get(source) ?? []),
      })
    ).bookworm;
  let lists = await listsOf([...current.keys()]);
  for (const ticket of kept) {
    const source = sourceOf(ticket, sources);
    const before = current.get(source)?.[0].version ?? null;
    current.set(source, packagesOf(root, source, ticket));
    const changed = await listsOf(members.get(groupOf(nameOf(source))));
    lists = { ...lists, ...changed };
    const change = { source: nameOf(source), to: versionOf(ticket) };
    const folder = join(root, ".revisions", String(ticket));
    mkdirSync(join(folder, "dists"), { recursive: true, mode: 0o755 });
    symlinkSync("../../pool", join(folder, "pool"));
    const record = {
      revision: ticket,
      created_at: at(ticket),
      ticket,
      reverts_to: null,
      changes: [{ series: "bookworm", ...change, from: before }],
      lists: { bookworm: lists },
    };
    const file = join(folder, "revision.json");
    writeFileSync(file, `${JSON.stringify(record, null, 1)}\n`);
    chmodSync(file, 0o644);
    const seconds = Date.parse(at(ticket)) / 1000;
    utimesSync(file, seconds, seconds);
  }
  rmSync(join(root, "dists"));
  symlinkSync(`.revisions/${kept.at(-1)}/dists`, join(root, "dists"));
  rmSync(join(root, ".revisions/0"), { recursive: true });
  return kept;
}

/** Writes a source package and its binary into the pool, and returns them as a revision lists them. */
function packagesOf(root, source, ticket) {
  const [name, version] = [nameOf(source), versionOf(ticket)];
  const folder = `pool/main/s/${name}`;
  mkdirSync(join(root, folder), { recursive: true, mode: 0o755 });
  const put = (file, contents) => {
    const path = `${folder}/${file}`;
    writeFileSync(join(root, path), contents);
    chmodSync(join(root, path), 0o644);
    const bytes = Buffer.from(contents);
    return { path, size: bytes.length, sha256: digest("sha256", bytes) };
  };
  const tarball = Buffer.from(`what ${name} ${version} is made of\n`);
  const tarName = `${name}_${version}.tar.xz`;
  const sums = (algorithm) =>
    `\n ${digest(algorithm, tarball)} ${tarball.length} ${tarName}`;
  const dsc = [
    "Format: 3.0 (native)",
    `Source: ${name}`,
    `Binary: ${name}`,
    "Architecture: any",
    `Version: ${version}`,
    "Maintainer: Dev <dev@example.com>",
    "Standards-Version: 4.6.2",
    "Build-Depends: debhelper-compat (= 13)",
    `Checksums-Sha1:${sums("sha1")}`,
    `Checksums-Sha256:${sums("sha256")}`,
    `Files:${sums("md5")}`,
  ].join("\n");
  const control = [
    `Package: ${name}`,
    `Version: ${version}`,
    `Architecture: ${architecture}`,
    "Maintainer: Dev <dev@example.com>",
    `Description: placeholder of ${name} ${version}`,
  ].join("\n");
  const it = { name, version };
  return [
    {
      ...{ kind: "source", ...it, architecture: "source", source: name },
      files: [put(tarName, tarball), put(`${name}_${version}.dsc`, `${dsc}\n`)],
    },
    {
      ...{ kind: "binary", ...it, architecture, source: name },
      files: [put(`${name}_${version}_${architecture}.deb`, smallDeb(control))],
    },
  ];
}

/** Gives the revisions that were written in bulk the indexes of the one that aptly made, as hard links. */
function shareIndexes(root, published) {
  const made = join(root, ".revisions", String(published.at(-1) + 1), "dists");
  for (const revision of published) {
    const folder = join(root, ".revisions", String(revision), "dists");
    rmSync(folder, { recursive: true });
    execFileSync("cp", ["-al", made, folder]);
  }
}
