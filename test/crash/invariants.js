import { createHash } from "node:crypto";
import {
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
} from "node:fs";
import { join, relative } from "node:path";

import Database from "better-sqlite3";

import { checkInFlight, checkOrders, checkTests } from "./exclusion.js";
import { checkPromises } from "./promises.js";

const steps = [100, 200, 300, 400, 500, 1000];
const endings = new Set([
  "passed",
  "failed",
  "tmpfail",
  "set aside",
  "cancelled",
]);
const afterStep = (step) => steps[steps.indexOf(step) + 1];

/**
 * Looks at an installation in which nothing runs any more and all work is done, and tells what must
 * never be. `known` is what the outside has seen: for each ticket number that was printed the digests
 * of what was uploaded.
 *
 * @returns how many single checks were made, and the violations in words
 */
export function checkInvariants(state, known, options = {}) {
  const db = new Database(join(state, "state.sqlite"), { readonly: true });
  try {
    const found = new Checks();
    const rows = {
      tickets: db
        .prepare(
          "SELECT ticket.*, person.email AS owner FROM ticket JOIN person ON person.id = ticket.owner ORDER BY ticket.id",
        )
        .all(),
      subtickets: db
        .prepare(
          `SELECT subticket.*, source_package.name AS source, upload.version FROM subticket
             JOIN source_package_upload upload ON upload.id = subticket.upload
             JOIN source_package ON source_package.id = upload.source_package ORDER BY subticket.id`,
        )
        .all(),
      artifacts: db.prepare("SELECT * FROM artifact").all(),
      runs: db.prepare("SELECT * FROM run ORDER BY id").all(),
      progress: db.prepare("SELECT * FROM progress").all(),
      ppas: db.prepare("SELECT * FROM ppa").all(),
      events: db.prepare("SELECT * FROM event ORDER BY id").all(),
      publications: db.prepare("SELECT * FROM publication").all(),
      tests: db.prepare("SELECT * FROM test_result").all(),
      overrides: db.prepare("SELECT * FROM override").all(),
      landings: db.prepare("SELECT * FROM landing").all(),
      promotions: db.prepare("SELECT * FROM promotion ORDER BY id").all(),
      mails: db.prepare("SELECT * FROM notification").all(),
    };
    found.same(
      "the state file is whole",
      db.pragma("integrity_check", { simple: true }),
      "ok",
    );
    found.same(
      "no row refers to nothing",
      db.pragma("foreign_key_check").length,
      0,
    );
    ticketsEnded(found, rows);
    accepted(found, rows, known);
    history(found, rows, options);
    checkPromises(found, rows, known.promises);
    promoted(found, rows, state, known);
    mails(found, rows, known);
    checkInFlight(found, rows, options.concurrency);
    checkOrders(found, rows);
    checkTests(found, rows, options);
    store(found, rows, state);
    ppas(found, rows, state);
    archive(found, rows, state, options);
    leftovers(found, rows, state);
    log(found, rows, state, options);
    report(found, rows, state);
    if (options.remote) jobs(found, db, state);
    return found;
  } finally {
    db.close();
  }
}

class Checks {
  count = 0;
  violations = [];
  true(what, holds) {
    this.count += 1;
    if (!holds) this.violations.push(what);
  }
  same(what, found, wanted) {
    const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
    this.true(a === b ? what : `${what}: ${a}, not ${b}`, a === b);
  }
}

/** Every ticket ends in exactly one final state, and all its rows say the same. */
function ticketsEnded(found, { tickets, subtickets, runs, events }) {
  for (const ticket of tickets) {
    const name = `ticket ${ticket.id}`;
    const done = ticket.step === 1000;
    found.true(
      `${name} ended: it is at ${ticket.step} ${ticket.status}`,
      (done && ticket.status === "done") ||
        (ticket.step === 999 && ticket.status === "failed"),
    );
    const mine = subtickets.filter((one) => one.ticket === ticket.id);
    found.true(
      `${name}: its subtickets ended with it`,
      mine.length > 0 && mine.every(({ step }) => step === ticket.step),
    );
    const ends = events.filter(
      ({ subject, subject_id, to_state }) =>
        subject === "ticket" &&
        subject_id === String(ticket.id) &&
        (to_state === "999" || to_state === "1000"),
    );
    found.same(
      `${name}: the last end in its history is the one it came to`,
      ends.at(-1)?.to_state,
      String(ticket.step),
    );
    found.same(
      `${name}: it was published when it is done`,
      ticket.archive_revision !== null,
      done,
    );
    found.true(
      `${name}: nothing waits any more`,
      ticket.retry_at === null && ticket.waiting_for === null,
    );
    const passed = runs.filter(
      ({ ticket: of, outcome }) => of === ticket.id && outcome === "passed",
    );
    found.true(
      `${name}: it is cancelled or not`,
      ticket.cancel_at === null ||
        (!done &&
          ticket.failure_kind === null &&
          ends.at(-1).what === "cancelled"),
    );
    if (done)
      found.true(
        `${name}: each step passed`,
        steps
          .slice(0, -1)
          .every((step) => passed.some((run) => run.step === step)),
      );
  }
}

/** What was said to be accepted is there; what was not has left nothing. */
function accepted(found, { tickets, artifacts, subtickets }, known) {
  for (const [id, { title, files }] of known.printed) {
    const ticket = tickets.find((one) => one.id === id);
    found.same(`ticket ${id} was printed and is there`, ticket?.title, title);
    for (const [name, sha256] of Object.entries(files)) {
      const row = artifacts.find(
        (one) => one.ticket === id && one.name === name && one.type === "SPU",
      );
      found.same(`ticket ${id}: ${name} is recorded`, row?.sha256, sha256);
    }
  }
  const titles = tickets.map(({ title }) => title);
  found.same("no ticket is there twice", titles.length, new Set(titles).size);
  const uploads = subtickets
    .filter(({ step }) => step === 1000)
    .map(({ source, version }) => `${source} ${version}`);
  found.same(
    "no source and version landed twice",
    uploads.length,
    new Set(uploads).size,
  );
}

/** The history of each ticket and PPA is complete, and each transition legal. */
function history(found, { tickets, runs, ppas: pool, events }, { clock }) {
  const of = (subject, id) =>
    events.filter(
      (event) => event.subject === subject && event.subject_id === String(id),
    );
  for (const ticket of tickets) {
    const name = `ticket ${ticket.id}`;
    let step;
    let resumed = false;
    let aside = false;
    for (const event of of("ticket", ticket.id)) {
      const { what, from_state: from, to_state: to } = event;
      const told = `${name}: event ${event.id} ${what} ${from} -> ${to} at ${step}`;
      switch (what) {
        case "created":
          found.true(told, step === undefined);
          step = 100;
          break;
        case "passed":
          found.true(
            told,
            Number(from) === step &&
              (Number(to) === afterStep(step) || (resumed && step === 100)),
          );
          resumed = false;
          step = Number(to);
          break;
        case "tmpfail":
          found.true(told, Number(from) === step && Number(to) === step);
          break;
        case "failed":
          found.true(told, Number(from) === step && to === "999");
          step = 999;
          break;
        case "cancelled":
          found.true(told, Number(from) === step && step < 999);
          step = 999;
          break;
        case "set aside":
          found.true(told, Number(from) === step && step < 999);
          aside = true;
          break;
        case "retried":
          if (to === null) break;
          found.true(
            told,
            (step === 999 || aside) && Number(from) === step && to === "100",
          );
          resumed = true;
          aside = false;
          step = 100;
          break;
        case "cancel asked":
        case "cancelled too late":
          found.true(told, step < 999);
          break;
        case "job cancelled":
        case "job not cancelled":
          found.true(told, step !== undefined);
          break;
        case "expired":
          found.true(told, step >= 999);
          break;
        case "overridden":
        case "override undone":
          found.true(told, step !== undefined);
          break;
        case "started":
        case "waiting":
        case "pending":
          found.true(told, Number(from ?? step) === step);
          break;
        case "updated":
        case "held":
        case "queued":
          found.true(
            told,
            step !== undefined && (what === "updated" || step === 100),
          );
          break;
        default:
          found.true(`${told}: no such transition`, false);
      }
    }
    found.same(`${name}: history and row agree`, step, ticket.step);
  }
  const ended = new Map();
  for (const { run, what, subject } of events) {
    if (run === null || subject !== "ticket" || !endings.has(what)) continue;
    ended.set(run, [...(ended.get(run) ?? []), what]);
  }
  for (const { id, outcome, finished_at } of runs) {
    found.true(`run ${id} ended`, finished_at !== null);
    const told = ended.get(id) ?? [];
    found.true(
      `run ${id} ended once, as its event says: ${outcome}, ${told.join(" ")}`,
      told.length === 1 &&
        (told[0] === outcome ||
          (told[0] === "failed" && outcome === "tmpfail") ||
          (told[0] === "set aside" && outcome === "tmpfail") ||
          told[0] === "cancelled"),
    );
    ended.delete(id);
  }
  found.same("each event of a run has its run", [...ended], []);
  for (const { name, state } of pool) {
    let now = null;
    for (const { id, from_state, to_state } of of("ppa", name)) {
      found.same(
        `${name}: event ${id} begins where the last ended`,
        from_state,
        now,
      );
      now = to_state;
      found.true(
        `${name}: event ${id} reserved it when free`,
        to_state !== "reserved" || from_state === "free",
      );
    }
    found.same(`${name}: history and row agree`, now, state);
  }
  if (clock !== "jumps")
    found.true(
      "the history is in order",
      events.every(
        (event, index) => index === 0 || event.at >= events[index - 1].at,
      ),
    );
}

/** What was handed over was handed over once, and nobody works on it any more. */
function jobs(found, db, state) {
  found.same(
    "no job is waited for, or has yet to be cancelled",
    db.prepare("SELECT key FROM job").all(),
    [],
  );
  const folder = join(state, ".fake-remote");
  for (const name of list(folder)) {
    // A killed write leaves one of those.
    if (name.startsWith(".tmp-")) continue;
    const job = JSON.parse(readFileSync(join(folder, name), "utf8"));
    found.same(`${job.key} was submitted once`, job.submitted, 1);
    found.true(`${job.key} is ${job.state}`, job.state !== "at work");
  }
}

/** Rows and files of the data store agree, by digest. */
function store(found, { artifacts, tickets }, state) {
  const folder = join(state, "store");
  const files = new Set(filesBelow(folder));
  for (const {
    ticket,
    name,
    container,
    size,
    sha256,
    expired_at,
  } of artifacts) {
    if (expired_at != null) continue;
    const path = join(folder, container, name);
    found.true(
      `${container}/${name} of ticket ${ticket} is in the store`,
      files.delete(path),
    );
    if (existsSync(path))
      found.same(
        `${container}/${name} is what was stored`,
        [statSync(path).size, digestOf(path)],
        [size, sha256],
      );
  }
  found.same(
    "the store has nothing without a row",
    [...files].map((path) => relative(folder, path)),
    [],
  );
  const numbers = new Set(tickets.map(({ id }) => id));
  for (const container of list(folder)) {
    const id = Number(/^ticket\.([0-9]+)/.exec(container)?.[1]);
    found.true(`the container ${container} is a ticket's`, numbers.has(id));
  }
}

/** No PPA is lost: all are free again, and empty. */
function ppas(found, { ppas: pool }, state) {
  for (const { name, state: now, ticket } of pool)
    found.same(`${name} is free again`, [now, ticket], ["free", null]);
  found.same("no PPA has anything on disk", list(join(state, "ppa")), []);
}

/** Archive and state agree; nothing is published twice; every file is whole. */
function archive(
  found,
  { tickets, subtickets, publications },
  state,
  { keeper, mended },
) {
  const root = join(state, "archive");
  const current = Number(
    /^\.revisions\/([0-9]+)\/dists(?:\.[0-9]+)?$/.exec(
      readlinkSync(join(root, "dists")),
    )?.[1],
  );
  const folders = list(join(root, ".revisions"));
  found.same(
    "the archive has each revision, and none that was not shown",
    folders.map(Number).sort((a, b) => a - b),
    Array.from({ length: current + 1 }, (_, number) => number),
  );
  const revisions = folders
    .map((name) =>
      JSON.parse(
        readFileSync(join(root, ".revisions", name, "revision.json"), "utf8"),
      ),
    )
    .sort((a, b) => a.revision - b.revision);
  const held = new Map();
  const used = new Set();
  const listed = (list) =>
    JSON.parse(readFileSync(join(root, ".packages", list), "utf8"));
  for (const { revision, ticket, lists } of revisions) {
    const name = `revision ${revision}`;
    const packages = Object.values(lists).flatMap((names) =>
      Object.values(names).flatMap(listed),
    );
    const of = tickets.find(({ id }) => id === ticket);
    found.true(
      `${name} is a ticket's that landed`,
      revision === 0 || of?.step === 1000,
    );
    found.same(
      `${name} is the one its ticket knows`,
      of?.archive_revision ?? 0,
      revision,
    );
    const mine = subtickets.filter((one) => one.ticket === ticket);
    for (const { source, version } of mine) held.set(source, version);
    const sources = packages.filter(({ kind }) => kind === "source");
    found.same(
      `${name} has what the landed tickets make of it`,
      sources.map(({ name: source, version }) => `${source} ${version}`).sort(),
      [...held].map(([source, version]) => `${source} ${version}`).sort(),
    );
    found.same(
      `${name} is recorded once`,
      publications
        .filter((one) => one.revision === revision)
        .map(({ source, version }) => `${source} ${version}`)
        .sort(),
      mine.map(({ source, version }) => `${source} ${version}`).sort(),
    );
    for (const { files } of packages) {
      for (const { path, sha256 } of files) {
        const file = join(root, path);
        if (used.has(file)) continue;
        used.add(file);
        found.same(
          `${name}: ${path}`,
          existsSync(file) && digestOf(file),
          sha256,
        );
      }
    }
  }
  found.same(
    "publications are of revisions there are",
    publications.filter(({ revision }) => revision > current),
    [],
  );
  const landed = revisions
    .map(({ ticket }) => ticket)
    .filter((ticket) => ticket !== null);
  found.same(
    "no ticket was published twice",
    landed.length,
    new Set(landed).size,
  );
  found.same(
    "each landed ticket was published",
    tickets.filter(({ step }) => step === 1000).map(({ id }) => id),
    landed.sort((a, b) => a - b),
  );
  // What a killed publication had copied of a ticket that then failed is for fsck to find.
  if (keeper !== "aptly" && mended)
    found.same(
      "the archive's pool has nothing that no revision has",
      filesBelow(join(root, "pool"))
        .filter((file) => !used.has(file))
        .map((file) => relative(root, file)),
      [],
    );
  found.same(
    "the archive has nothing unfinished",
    [...list(root), ...folders].filter((name) => name.startsWith(".tmp-")),
    [],
  );
  found.true(
    "what clients read is there",
    current === 0 || existsSync(join(root, "dists/")),
  );
  // The folders of earlier revisions may have what a killed one left; the current one was signed since.
  found.same(
    "what clients read was signed whole",
    list(join(root, ".revisions", String(current))).filter((name) =>
      name.startsWith(".tmp-"),
    ),
    [],
  );
}

/** No lease, lock, session, scratch or staging folder is left over. */
function leftovers(found, { runs, progress }, state) {
  found.same(
    "no lease is open",
    runs.filter(({ finished_at }) => finished_at === null),
    [],
  );
  found.same("no progress is shown of a run that ended", progress, []);
  found.same(
    "no lock is left",
    list(join(state, "run")).filter((name) => !remembered.test(name)),
    [],
  );
  found.same(
    "no scratch or staging folder is left",
    list(join(state, "scratch")),
    [],
  );
  found.same(
    "nothing half written is left",
    filesBelow(join(state, "report")).filter((file) => file.includes("/.tmp-")),
    [],
  );
  const expected =
    /^(state\.sqlite(-wal|-shm)?|run|locks|log|store|layers|archive|ppa|report|scratch|gnupg|uploaders|aptly|backups|set-aside|\.fake-remote)$/;
  found.same(
    "nothing else is in the state folder",
    list(state).filter((name) => !expected.test(name)),
    [],
  );
  found.same(
    "only what killed tickets and publications left is set aside",
    list(join(state, "set-aside")).filter(
      (name) => !/^(?:create_ticket|fsck)-/.test(name),
    ),
    [],
  );
}

/** What was told to people already, and which passes there were; no locks. */
const remembered = /\.(?:refused|done|complaints\.json)$/;

/** The last report shows every ticket as it is, whichever reports before it were killed. */
function report(found, { tickets, runs }, state) {
  const folder = join(state, "report/tickets");
  found.same(
    "the report has a page for each ticket",
    list(folder)
      .filter((name) => name !== "SHA256SUMS")
      .map(Number)
      .sort((one, other) => one - other),
    tickets.map(({ id }) => id),
  );
  for (const ticket of tickets) {
    const { id, step, archive_revision, cancel_at } = ticket;
    const status =
      step === 999 && cancel_at !== null ? "cancelled" : ticket.status;
    const file = join(folder, String(id), "index.json");
    const { ticket: shown, logs = [] } = existsSync(file)
      ? JSON.parse(readFileSync(file, "utf8"))
      : {};
    found.same(
      `the logs of ticket ${id} have their pages`,
      logs.filter(
        ({ url }) =>
          !existsSync(join(folder, String(id), decodeURIComponent(url))),
      ),
      [],
    );
    found.same(
      `the report shows ticket ${id} as it is`,
      shown && {
        status: shown.status,
        step: shown.step.code,
        archive_revision: shown.archive_revision,
        runs: shown.runs.length,
      },
      {
        status,
        step,
        archive_revision,
        runs: runs.filter(({ ticket }) => ticket === id).length,
      },
    );
  }
}

/** The log has each event once, in order, whoever was killed. */
function log(found, { events }, state, { disk }) {
  const file = join(state, "log", "ubuntu-ci.log");
  const logged = readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => parsed(line, disk === "small"))
    .filter((record) => record?.id != null);
  found.same(
    "the log has each event once, in order",
    logged.map(({ id, what }) => `${id} ${what}`),
    events.map(({ id, what }) => `${id} ${what}`),
  );
}

/** A line of the log; only a full disk may tear one. */
function parsed(line, mayBeTorn) {
  try {
    return JSON.parse(line);
  } catch (thrown) {
    if (mayBeTorn) return undefined;
    throw thrown;
  }
}

function list(folder) {
  return existsSync(folder) ? readdirSync(folder).sort() : [];
}

function filesBelow(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(path) : [path];
  });
}

function digestOf(path) {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

/** What `archive promote` said that clients of the stable suite see was recorded, and they see a stable suite. */
function promoted(found, { promotions }, state, { promoted, isPromoted }) {
  for (const revision of promoted)
    found.true(
      `revision ${revision}, which promote showed, is recorded`,
      promotions.some((one) => one.revision === revision),
    );
  if (!isPromoted) return;
  const last = promotions.at(-1);
  found.same("the last promotion is recorded", last?.revision, promoted.at(-1));
  found.true(
    "the stable suite is there",
    existsSync(join(state, "archive/dists", `${last?.series}-stable`)),
  );
}

/** No mail is forgotten, and what counts as sent was handed over. */
function mails(found, rows, { mails: folder }) {
  const ids = new Set(
    readdirSync(folder).map((name) => {
      const text = readFileSync(join(folder, name), "utf8");
      return /^Message-ID: *(\S+)$/im.exec(text)?.[1];
    }),
  );
  for (const { id, message_id, recipient, outcome } of rows.mails) {
    found.same(`mail ${id} to ${recipient} was sent`, outcome, "sent");
    found.true(`mail ${id} was handed over`, ids.has(message_id));
  }
}
