// What 100,000 finished tickets in the state cost: `status` of one, a step that finds work, and
// `create_ticket`, against the same on a state without them, in one run. The backends are fake, so
// that it is the state that is measured.
//   npm run bench:scale -- [ROUNDS [TICKETS]]
// Exits 1 when one costs more than the limit. The runs are interleaved, so that what else the machine
// does meanwhile weighs on both alike, and the median of each counts.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import Database from "better-sqlite3";

const limit = 2;
const rounds = Number(process.argv[2] ?? 7);
const tickets = Number(process.argv[3] ?? 100_000);
const bin = resolve(import.meta.dirname, "../../bin/ubuntu-ci");
const root = mkdtempSync(join(tmpdir(), "uci-scale-"));
const config = join(root, "config.json");
const env = { ...process.env, HOME: root, NO_COLOR: "1" };
const states = { empty: join(root, "empty"), full: join(root, "full") };

function ci(state, ...args) {
  const start = performance.now();
  const { status, stdout, stderr } = spawnSync(
    bin,
    [...args, "--state-dir", states[state], "--config", config],
    { encoding: "utf8", env, maxBuffer: 1e9 },
  );
  if (status !== 0)
    throw new Error(`${args.join(" ")} exited with ${status}: ${stderr}`);
  return { ms: performance.now() - start, out: stdout.trim() };
}

/** A source upload of one C program; returns its .changes. */
function upload(version) {
  const folder = mkdtempSync(join(root, "upload-"));
  const tree = join(folder, "tree");
  mkdirSync(join(tree, "debian/source"), { recursive: true });
  const put = (name, text, mode = 0o644) =>
    writeFileSync(join(tree, "debian", name), text, { mode });
  put("source/format", "3.0 (native)\n");
  put(
    "changelog",
    `source-1 (${version}) bookworm; urgency=medium\n\n  * Test.\n\n -- Dev <dev@example.com>  Thu, 01 Jan 2026 00:00:00 +0000\n`,
  );
  put(
    "control",
    "Source: source-1\nSection: misc\nPriority: optional\nMaintainer: Dev <dev@example.com>\nBuild-Depends: debhelper-compat (= 13)\nStandards-Version: 4.6.2\n\nPackage: source-1\nArchitecture: any\nDescription: a test\n A test.\n",
  );
  put("rules", "#!/usr/bin/make -f\n%:\n\tdh $@\n", 0o755);
  execFileSync("dpkg-source", ["--build", "tree"], {
    cwd: folder,
    stdio: "pipe",
  });
  const changes = join(folder, `source-1_${version}_source.changes`);
  writeFileSync(
    changes,
    execFileSync("dpkg-genchanges", ["--build=source", "-sa"], {
      cwd: tree,
      stdio: ["ignore", "pipe", "ignore"],
    }),
  );
  return changes;
}

/**
 * Finished tickets as a few years leave them: of 2,000 source packages and one that came a
 * thousand times, every tenth failed, each with its runs, files, tests and history.
 */
function fill() {
  const db = new Database(join(states.full, "state.sqlite"));
  db.pragma("synchronous = OFF");
  const at =
    "strftime('%Y-%m-%dT%H:%M:%fZ', '2020-01-01', '+' || (n * 20) || ' minutes')";
  const source = "CASE WHEN n % 100 = 0 THEN 1 ELSE 1 + n % 2000 END";
  const done = "n % 10 <> 0";
  const everyTicket = `WITH RECURSIVE seq(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM seq WHERE n < ${tickets})`;
  const everyRun = `${everyTicket}, step(code, place) AS (VALUES (100, 0), (200, 1), (300, 2), (400, 3), (500, 4))`;
  db.transaction(() => {
    for (const statement of [
      "INSERT INTO person (id, name, email) VALUES (1, 'Dev', 'dev@example.com')",
      "WITH RECURSIVE seq(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM seq WHERE n < 2000) INSERT INTO source_package (id, name) SELECT n, 'source-' || n FROM seq",
      "INSERT INTO binary_package (name, source_package) SELECT name, id FROM source_package",
      `${everyTicket} INSERT INTO source_package_upload (id, source_package, version, changed_by, dsc)
         SELECT n, ${source}, '0.' || n, 'Dev <dev@example.com>', 'x.dsc' FROM seq`,
      `${everyTicket} INSERT INTO ticket (id, title, description, owner, series, step, status, archive_revision,
           failure_step, failure_kind, failure_reason, created_at, updated_at)
         SELECT n, 'ticket ' || n, '', 1, 'bookworm', iif(${done}, 1000, 999), iif(${done}, 'done', 'failed'), iif(${done}, n, NULL),
           iif(${done}, NULL, 500), iif(${done}, NULL, 'package'), iif(${done}, NULL, 'it broke'), ${at}, ${at} FROM seq`,
      `${everyTicket} INSERT INTO subticket (id, ticket, upload, step, status, binaries)
         SELECT n, n, n, iif(${done}, 1000, 999), iif(${done}, 'done', 'failed'), '["source-1"]' FROM seq`,
      `${everyRun} INSERT INTO run (ticket, step, attempt, host, pid, boot_id, process_start, started_at, heartbeat_at, finished_at, outcome)
         SELECT n, code, 1, 'ci', 1, 'x', '1', ${at}, ${at}, ${at}, iif(code < 500 OR ${done}, 'passed', 'failed') FROM seq, step ORDER BY n, code`,
      `${everyRun} INSERT INTO artifact (ticket, subticket, name, type, container, size, sha256, created_at)
         SELECT n, n, 'file-' || place, CASE place WHEN 0 THEN 'SPU' WHEN 1 THEN 'LOGS' WHEN 2 THEN 'RESULTS' WHEN 3 THEN 'IMAGE' ELSE 'LOGS' END,
           'ticket.' || n, 1000, '0', ${at} FROM seq, step`,
      `${everyTicket} INSERT INTO test_result (ticket, run, package, name, result, seconds, detail)
         SELECT n, n * 5 - 1, 'source-1', 'smoke', 'pass', 1.0, '' FROM seq`,
      `${everyTicket} INSERT INTO image (ticket, layers, digest, manifest) SELECT n, '[]', '0', '[]' FROM seq`,
      `${everyTicket} INSERT INTO publication (revision, series, source, version, ticket, created_at)
         SELECT n, 'bookworm', 'source-' || (${source}), '0.' || n, n, ${at} FROM seq WHERE ${done}`,
      `${everyRun} INSERT INTO event (at, actor, subject, subject_id, what, from_state, to_state, run, ticket)
         SELECT ${at}, 'ci@ci', 'ticket', CAST(n AS TEXT), 'passed', CAST(code AS TEXT), CAST(code + 100 AS TEXT), n * 5 - 4 + place, n FROM seq, step`,
      "UPDATE log_export SET event = (SELECT max(id) FROM event)",
    ])
      db.exec(statement);
  })();
  db.close();
}

const median = (numbers) =>
  numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

try {
  const fake = Object.fromEntries(
    ["builder", "imager", "tester", "archiveKeeper"].map((key) => [
      key,
      "fake",
    ]),
  );
  writeFileSync(
    config,
    JSON.stringify({
      series: ["bookworm"],
      admission: { signatures: "optional" },
      ...fake,
    }),
  );
  for (const state of Object.keys(states)) ci(state, "init");
  fill();
  const measured = [
    "create_ticket",
    "assign-ppa",
    "build-source",
    "status N, waiting",
    "status N, finished",
    "explain N",
    "land, nothing to do",
  ];
  const times = Object.fromEntries(
    measured.map((name) => [name, { empty: [], full: [] }]),
  );
  for (let round = 0; round < rounds; round += 1) {
    const changes = upload(`1.${round}`);
    for (const state of Object.keys(states)) {
      const time = (name, ...args) => {
        const { ms, out } = ci(state, ...args);
        times[name][state].push(ms);
        return out;
      };
      const id = time(
        "create_ticket",
        "create_ticket",
        "-t",
        "x",
        "-s",
        changes,
      );
      time("status N, waiting", "status", id);
      time("explain N", "explain", id);
      time("assign-ppa", "assign-ppa");
      time("build-source", "build-source");
      ci(state, "land");
      time("status N, finished", "status", id);
      time("land, nothing to do", "land");
    }
  }
  console.log(`${"".padEnd(20)}   empty  ${tickets} tickets`);
  for (const [name, { empty, full }] of Object.entries(times)) {
    const before = median(empty);
    const after = median(full);
    const ratio = after / before;
    console.log(
      `${name.padEnd(20)} ${before.toFixed(0).padStart(4)} ms  ${after.toFixed(0).padStart(4)} ms  ${ratio.toFixed(2)}  (at most ${limit})`,
    );
    if (ratio > limit) process.exitCode = 1;
  }
} finally {
  rmSync(root, { recursive: true, force: true });
}
