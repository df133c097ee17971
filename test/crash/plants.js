import {
  cpSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const project = resolve(import.meta.dirname, "../..");

/**
 * Bugs that a harness worth its name finds: what is put in the place of what in a file of dist/lib.
 * Each is a mistake that such programs are known for.
 */
const plants = {
  // A publication that was killed before it was recorded is not recognised as the ticket's own.
  "published-twice": {
    file: "backends/archive/revisions.js",
    from: "if (record.ticket === ticket)",
    to: "if (Number.isNaN(record.ticket))",
    also: {
      file: "steps/publish.js",
      from: "await archive.revisionOfTicket(ticket.id)",
      to: "undefined",
    },
  },
  // Work that was submitted by a process that was killed is submitted again.
  "submitted-twice": {
    variant: "remote",
    file: "steps/build-source.js",
    from: /const id = job\.id \?\? \(?await builder\.find\(job\.key\)\)?;(\s*return id === null)/,
    to: "const id = job.id;$1",
  },
  // How a run ended is written in several transactions instead of one.
  "half-recorded": {
    file: "state/runs.js",
    from: /return db\s*\.transaction\(\(\) => finishRun\((db, actor, lease, [^)]*end)\)\)\s*\.immediate\(\);/,
    to: "return finishRun($1);",
  },
  // A PPA whose cleaning was killed is never cleaned.
  "lost-ppa": {
    file: "state/ppas.js",
    from: /for \(const ppa of (listPpas\(db\))\) \{(\s*if \(ppa\.state === "dirty"\))/,
    to: "const found = $1; for (const ppa of found) {$2",
    also: {
      from: 'return listPpas(db).filter((ppa) => ppa.state === "cleaning");',
      to: 'return found.filter((ppa) => ppa.state === "dirty");',
    },
  },
  // The lease of a dead process stays until its heartbeat is old.
  "dead-lease": { file: "state/leases.js", from: "isGone(run) ??", to: "" },
  // The lock of a dead process stays until it was not renewed for long.
  "dead-lock": { file: "locks/lock.js", from: "isGone(holder) ??", to: "" },
  // A report takes for shown what has happened since the one before it.
  "stale-report": {
    file: "state/report-rows.js",
    from: "event NOT INDEXED WHERE id > ? AND ticket",
    to: "event NOT INDEXED WHERE id > ? + 1000 AND ticket",
  },
  // A ticket's files come into the store after its number is known to all.
  "files-too-late": {
    file: "tickets/create-ticket.js",
    from: "const files = await placeFiles(store, container, uploads);",
    to: `const files = uploads.map((upload) => upload.files.map(({ name, size, sha256 }) => ({ container, name, size, sha256 })));
      setTimeout(() => placeFiles(store, container, uploads), 0);`,
  },
  // A command's PID file is never made.
  "lock-never-taken": {
    file: "locks/lock.js",
    from: "linkSync(mine, file);",
    to: "",
    also: { from: 'openSync(file, "r")', to: 'openSync(runFolder, "r")' },
  },
  // Mutual exclusion that excludes nobody.
  "exclusion-never-taken": {
    file: "locks/exclusively.js",
    from: 'lock.exec("BEGIN EXCLUSIVE");',
    to: 'lock.exec("BEGIN");',
  },
  // A run whose lease was lost ends a second time.
  "closed-twice": {
    variant: "hosts",
    file: "state/runs.js",
    from: "stages = ? WHERE id = ? AND finished_at IS NULL",
    to: "stages = ? WHERE id = ?",
  },
  // A live process's lease is taken away by whoever comes next.
  "lease-stolen": {
    file: "state/leases.js",
    from: /isGone\(run\) \?\?\s*(Date\.now)/,
    to: "isGone(run) !== undefined || $1",
  },
  // What a command said it changed is lost, with exit 0.
  "lost-priority": {
    file: "state/ticket-changes.js",
    from: 'sets["priority"] = change.priority;',
    to: 'sets["draft"] = 0;',
  },
  "lost-description": {
    file: "state/ticket-changes.js",
    from: 'sets["description"] = change.description;',
    to: 'sets["draft"] = 0;',
  },
  "lost-owner": {
    file: "state/ticket-changes.js",
    from: 'sets["owner"] =',
    to: 'sets["draft"] = 0; void',
  },
  // That a ticket at work is to end is forgotten when its run ends.
  "lost-cancel": {
    file: "state/runs.js",
    from: "const cancelled = cancellationOf(db, ticket);",
    to: "const cancelled = null; forgetCancellation(db, ticket);",
  },
  "lost-override": {
    file: "state/overrides.js",
    from: /db\.prepare\("INSERT INTO override [^;]*;/,
    to: "",
  },
  // An override that was made counts no more than one that was undone.
  "ignored-override": {
    file: "domain/override.js",
    from: "const own = ignoredStep(overrides, commandOf(step));",
    to: "const own = undefined;",
  },
  "lost-maintenance": {
    file: "locks/maintenance.js",
    from: "renameSync(beside(file), file);",
    to: "rmSync(beside(file));",
  },
  // Tickets start beside others of the same source.
  "one-source-twice": {
    file: "domain/queue.js",
    from: "!ticket.sources.some((source) => taken.has(source))",
    to: "true",
    also: { from: "inCommon(sources, other).length > 0", to: "false" },
  },
};

/** The variant that a bug shows in. */
export const variantFor = (name) => plants[name]?.variant ?? "plain";

/** The names of the bugs that can be planted. */
export const plantNames = Object.keys(plants);

/** Makes a copy of the built program with that bug in it, and returns its folder. */
export function plant(name) {
  const bug = plants[name];
  if (bug === undefined)
    throw new RangeError(`${name} is none of ${plantNames.join(", ")}`);
  const copy = mkdtempSync(join(tmpdir(), "crash-planted-"));
  for (const part of ["bin", "dist", "templates", "package.json"])
    cpSync(join(project, part), join(copy, part), {
      recursive: true,
      verbatimSymlinks: true,
    });
  symlinkSync(join(project, "node_modules"), join(copy, "node_modules"));
  // It is to start from the modules, of which one has the bug.
  rmSync(join(copy, "dist/ubuntu-ci.cjs"));
  for (const [file, text] of planted(bug))
    writeFileSync(join(copy, "dist/lib", file), text);
  return copy;
}

/**
 * The files of the built program that a bug is planted in, with the bug.
 *
 * @throws when the program has changed so that there is no place for the bug any more
 */
function planted(bug) {
  const texts = new Map();
  for (const { file = bug.file, from, to } of [bug, bug.also ?? []].flat()) {
    const text =
      texts.get(file) ?? readFileSync(join(project, "dist/lib", file), "utf8");
    const changed = text.replace(from, to);
    if (changed === text)
      throw new Error(`${file} has no ${from} any more: mend the plant`);
    texts.set(file, changed);
  }
  return texts;
}

/** Checks that every bug can be planted in the program as it is now; done with every change of it. */
export function checkPlants() {
  for (const bug of Object.values(plants)) planted(bug);
}
