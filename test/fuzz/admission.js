import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  constants,
  accessSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { randomSource } from "../crash/random.js";
import { readByOthers } from "./compare.js";
import { bytesOf, mutate } from "./mutate.js";
import { checkControlFile } from "./readers.js";
import { changesText, makeUpload } from "./templates.js";
import { isTooSlow } from "./time-limit.js";

const dist = resolve(import.meta.dirname, "../../dist/lib");
const { admit } = await import(join(dist, "tickets/admission/admission.js"));
const { UbuntuCiError } = await import(join(dist, "domain/error.js"));
const { readChanges } = await import(join(dist, "debian/changes.js"));
const { readDsc } = await import(join(dist, "debian/dsc.js"));

const mostViolations = 10;
const sayEveryMs = 60_000;

/** In memory where there is such a folder: what is staged is synced to disk each time. */
function scratchFolder() {
  try {
    accessSync("/dev/shm", constants.W_OK);
    return mkdtempSync("/dev/shm/ubuntu-ci-fuzz-");
  } catch {
    return mkdtempSync(join(tmpdir(), "ubuntu-ci-fuzz-"));
  }
}

const policy = (folder) => ({
  knownSeries: ["bookworm"],
  series: null,
  // No gpgv: its starting would take all the time, and what it says is tested elsewhere.
  signatures: "optional",
  maxFileBytes: 10_000,
  maxFiles: 12,
  maxTotalBytes: 40_000,
  uploaders: join(folder, "no-uploaders"),
  suites: {},
  architecture: "amd64",
  archiveBinary: () => Promise.resolve(null),
  archiveFile: () => Promise.resolve(null),
  otherFileInFlight: () => null,
  archiveVersion: () => null,
  inFlight: () => null,
});

/** What may happen to one of the files that an upload lists. */
const mishaps = {
  gone: (path) => rmSync(path),
  "a link": (path, outside) => replaced(path, () => symlinkSync(outside, path)),
  "a folder": (path) => replaced(path, () => mkdirSync(path)),
  "a FIFO": (path) => replaced(path, () => spawnSync("mkfifo", [path])),
  "cut short": (path) => truncateSync(path, 1),
  "too large": (path) => truncateSync(path, 20_000),
};

function replaced(path, make) {
  rmSync(path);
  make();
}

/** Writes an upload with something wrong in it, or nothing; returns its .changes. */
function writeUpload(random, folder, outside) {
  const made = makeUpload(random);
  const other = makeUpload(random);
  const dsc = random.chance(0.6)
    ? bytesOf(random, mutate(random, made.dsc, other.dsc))
    : Buffer.from(made.dsc);
  const files = [{ name: made.dscName, contents: dsc }, ...made.files];
  // Sums of the .dsc as it is, or as it was before.
  let changes = random.chance(0.9)
    ? changesText(random, { ...made, files })
    : made.changes;
  if (random.chance(0.5)) changes = mutate(random, changes, other.changes);
  const name = random.chance(0.98)
    ? `${made.source}_${made.plain}_source.changes`
    : mutate(random, "x_1_source.changes", "..").replaceAll(/[/\0]/g, "_");
  for (const file of files)
    writeFileSync(join(folder, file.name), file.contents);
  const path = join(folder, /^\.*$/.test(name) ? "x" : name.slice(0, 60));
  writeFileSync(path, bytesOf(random, changes));
  if (random.chance(0.05)) {
    const victim = join(folder, random.pick(files).name);
    mishaps[random.pick(Object.keys(mishaps))](victim, outside);
  }
  return path;
}

/** What there is in a folder, in one text. */
function stateOf(folder) {
  return readdirSync(folder)
    .sort()
    .map((name) => {
      const { ino, mode, size, mtimeMs, ctimeMs } = lstatSync(
        join(folder, name),
      );
      return [name, ino, mode, size, mtimeMs, ctimeMs].join(" ");
    })
    .join("\n");
}

const sha256 = (path) =>
  createHash("sha256").update(readFileSync(path)).digest("hex");

/** What holds of whatever is accepted: it is all in staging, whole, and nothing else is. */
function checkAccepted(uploads, staging) {
  assert.equal(uploads.length, 1);
  const [upload] = uploads;
  const folder = join(staging, "0");
  assert.deepEqual(readdirSync(staging), ["0"]);
  const names = upload.files.map(({ name }) => name).sort();
  assert.deepEqual(readdirSync(folder).sort(), names);
  assert.equal(upload.series, "bookworm");
  for (const { name, path, size, sha256: sum } of upload.files) {
    assert.equal(path, join(folder, name));
    const status = lstatSync(path);
    assert.ok(status.isFile());
    assert.equal(status.size, size);
    assert.equal(sha256(path), sum);
  }
  const problems = [];
  const changes = readChanges(
    readFileSync(join(folder, upload.changesName)),
    "",
    problems,
  );
  const dsc = readDsc(readFileSync(join(folder, upload.dscName)), "", problems);
  assert.deepEqual(problems, []);
  const listed = new Map();
  for (const one of [changes, dsc]) {
    checkControlFile(one);
    assert.equal(one.source, upload.source);
    assert.equal(one.version, upload.version);
    for (const file of one.files) listed.set(file.name, file);
  }
  for (const { name, size, sha256: sum } of upload.files)
    if (name !== upload.changesName)
      assert.deepEqual({ name, size, sha256: sum }, listed.get(name));
}

/** What we read in a control file, in the form of {@link readByOthers}. */
function ours(path) {
  const read = path.endsWith(".changes") ? readChanges : readDsc;
  const found = read(readFileSync(path), "", []);
  const sums = found.files
    .map(({ name, size, sha256: sum }) => [name, String(size), sum])
    .sort((a, b) => (a[0] < b[0] ? -1 : 1));
  return {
    ...{ source: found.source, version: found.version, sums },
    files: sums.map(([name, size]) => [name, size]),
  };
}

/** The same text may be read in another way, or refused, but never be another package. */
function differences(paths) {
  const found = [];
  const compared = [];
  for (const [name, answers] of Object.entries(readByOthers(paths))) {
    if (answers === null) {
      compared.push(`${name} is not installed`);
      continue;
    }
    let refused = 0;
    for (const [index, path] of paths.entries()) {
      const { binary, ...answer } = answers[index];
      if ("error" in answer) {
        refused += 1;
        continue;
      }
      const mine = ours(path);
      const normal = {
        ...answer,
        source: answer.source.replace(/ \(.*\)$/, ""),
        sums: answer.sums.map(([file, size, sum]) => [
          file,
          String(Number(size)),
          sum,
        ]),
        files: answer.files.map(([file, size]) => [file, String(Number(size))]),
      };
      try {
        assert.deepEqual(mine, normal);
        if (path.endsWith(".dsc")) checkBinaries(path, binary);
      } catch (thrown) {
        found.push({
          path,
          why: `${name} reads something else: ${thrown.message}`,
        });
      }
    }
    compared.push(`${name} takes ${paths.length - refused} of ${paths.length}`);
  }
  return { found, compared };
}

function checkBinaries(path, binary) {
  const { binaries } = readDsc(readFileSync(path), "", []);
  const named = new Set(binary);
  for (const name of binaries)
    assert.ok(named.has(name), `${name} is not in Binary`);
}

/** Gives `count` uploads to admission. */
export async function fuzz({ count, seed, from, sample }) {
  const root = scratchFolder();
  const violations = [];
  const samples = [];
  let accepted = 0;
  let said = performance.now();
  try {
    const outside = join(root, "outside");
    mkdirSync(outside);
    const canary = join(outside, "canary");
    writeFileSync(canary, "must stay as it is");
    for (let index = from; index < from + count; index += 1) {
      const random = randomSource(Math.imul(seed + 1, 0x9e3779b1) ^ index);
      const folder = join(root, "upload");
      const staging = join(root, "staging");
      mkdirSync(folder);
      const path = writeUpload(random, folder, canary);
      const before = [stateOf(folder), stateOf(outside)];
      const began = performance.now();
      let why;
      try {
        try {
          checkAccepted(await admit([path], policy(root), staging), staging);
          accepted += 1;
          if (samples.length < sample) samples.push(kept(root, index, staging));
        } catch (thrown) {
          if (!(thrown instanceof UbuntuCiError) || thrown.exitCode !== 2)
            throw thrown;
          assert.ok(
            thrown.problems.length > 0,
            "nothing is said of what is wrong",
          );
          assert.ok(!existsSync(staging), "the staging folder is left");
        }
        assert.deepEqual([stateOf(folder), stateOf(outside)], before);
        const tookMs = performance.now() - began;
        if (tookMs > 100)
          why = await isTooSlow(tookMs, 100_000, async () => {
            rmSync(staging, { recursive: true, force: true });
            await admit([path], policy(root), staging).catch(() => undefined);
          });
      } catch (thrown) {
        why = thrown.stack.slice(0, 1000);
      }
      if (why !== undefined) {
        const input = JSON.stringify(readFileSync(path, "utf8")).slice(0, 2000);
        violations.push({ index, where: "admission", why, input });
        if (violations.length >= mostViolations) break;
      }
      rmSync(folder, { recursive: true });
      rmSync(staging, { recursive: true, force: true });
      if (performance.now() - said > sayEveryMs) {
        said = performance.now();
        console.error(`fuzz: ${index - from + 1} of ${count} uploads`);
      }
    }
    const { found, compared } = differences(samples.flat());
    for (const { path, why } of found.slice(0, mostViolations))
      violations.push({
        ...{ index: Number(/sample-([0-9]+)/.exec(path)[1]), where: path, why },
        input: JSON.stringify(readFileSync(path, "utf8")).slice(0, 2000),
      });
    if (accepted === 0 && count >= 100)
      violations.push({
        index: from,
        where: "admission",
        why: "took no upload",
        input: "",
      });
    return {
      violations,
      line: `${count} uploads, ${accepted} accepted, of ${samples.flat().length} control files ${compared.join(", ")}`,
    };
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** Copies of the control files of an accepted upload, for the comparison. */
function kept(root, index, staging) {
  const from = join(staging, "0");
  const to = join(root, `sample-${index}`);
  mkdirSync(to);
  return readdirSync(from)
    .filter((name) => /\.(?:changes|dsc)$/.test(name))
    .map((name) => {
      writeFileSync(join(to, name), readFileSync(join(from, name)));
      return join(to, name);
    });
}
