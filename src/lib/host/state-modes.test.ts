import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { putModesRight, wrongModes } from "./state-modes.ts";

let folder: string;
let root: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "modes-"));
  root = join(folder, "state");
});
afterEach(() => rmSync(folder, { recursive: true }));

const mode = (path: string) => statSync(join(root, path)).mode & 0o7777;
const wrong = () =>
  [...wrongModes(root)].map(({ path }) => path.slice(root.length + 1)).sort();

/** Makes a state folder with these files, with the modes that result from that umask. */
function state(umask: number, ...files: readonly string[]): void {
  const before = process.umask(umask);
  try {
    for (const file of files) {
      mkdirSync(join(root, dirname(file)), { recursive: true });
      writeFileSync(join(root, file), "");
    }
  } finally {
    process.umask(before);
  }
}

const everything = [
  "state.sqlite",
  "state.sqlite-wal",
  "state.sqlite.before-3",
  "log/ubuntu-ci.log",
  "run/land.pid",
  "store/ticket.1/hello.dsc",
  "uploaders/A.gpg",
  "aptly/archive/db/1.ldb",
  "gnupg/private-keys-v1.d/A.key",
  "backups/1.tar.zst",
  "layers/base-x/layer.json",
  "layers/.known-deps/1",
  "scratch/run.1/upper/etc/passwd",
  "set-aside/restore-1/state.sqlite",
  "quickstart/uploads/hello.dsc",
  "archive/pool/main/h/hello.deb",
  "archive/.revisions/1/revision.json",
  "ppa/ci_pool-001/files.json",
  "report/index.html",
];

test.each([0o000, 0o022, 0o077])(
  "puts right what a program with umask %i made",
  (umask) => {
    state(umask, ...everything);
    putModesRight(root);
    expect(wrong()).toEqual([]);
    expect(mode("")).toBe(0o711);
    for (const room of ["log", "store", "aptly", "scratch", "set-aside"])
      expect([room, mode(room)]).toEqual([room, 0o700]);
    for (const room of ["archive", "archive/pool/main/h", "ppa", "report"])
      expect([room, mode(room)]).toEqual([room, 0o755]);
    for (const file of ["state.sqlite-wal", "store/ticket.1/hello.dsc"])
      expect([file, mode(file)]).toEqual([file, 0o600]);
    expect(mode("archive/pool/main/h/hello.deb")).toBe(0o644);
  },
);

test("leaves the modes of packages' own files in layers and sessions, and of a program", () => {
  state(0o022, "state.sqlite");
  const own = [
    "layers/base-x/root/usr/bin/su",
    "scratch/run.1/upper/usr/bin/su",
    "program/bin/ubuntu-ci",
  ];
  state(0o022, ...own);
  for (const file of own) chmodSync(join(root, file), 0o4755);
  putModesRight(root);
  for (const file of own) expect(mode(file)).toBe(0o4755);
  expect(mode("layers/base-x/root")).toBe(0o755);
  expect(mode("layers/base-x")).toBe(0o700);
  expect(mode("program")).toBe(0o700);
});

test("goes on where a process was killed in the middle of it", () => {
  state(0o022, ...everything);
  // The first entry is already private; the mode of the state folder shows that the rest was not checked yet.
  chmodSync(join(root, "log"), 0o700);
  putModesRight(root);
  expect(mode("log/ubuntu-ci.log")).toBe(0o600);
  expect(wrong()).toEqual([]);
});

test("sees a room that was opened since, and whatever was made in it meanwhile", () => {
  state(0o022, ...everything);
  putModesRight(root);
  chmodSync(join(root, "store"), 0o777);
  chmodSync(join(root, "store/ticket.1"), 0o777);
  putModesRight(root);
  expect(mode("store")).toBe(0o700);
  expect(mode("store/ticket.1")).toBe(0o700);
});

test("a stored file that is published as well has the mode of what is published", () => {
  state(0o022, ...everything);
  const file = join(root, "store/ticket.1/hello.dsc");
  linkSync(file, join(root, "report/hello.dsc"));
  putModesRight(root);
  expect(wrong()).toEqual([]);
  expect(mode("report/hello.dsc")).toBe(0o644);
  // Losing its second name does not make the public mode wrong.
  rmSync(join(root, "report/hello.dsc"));
  expect(wrong()).toEqual([]);
  chmodSync(file, 0o664);
  expect(wrong()).toEqual(["store/ticket.1/hello.dsc"]);
});

test("never follows a link to what is not the state's", () => {
  state(0o022, ...everything);
  mkdirSync(join(folder, "elsewhere"));
  const victim = join(folder, "elsewhere/file");
  writeFileSync(victim, "", { mode: 0o640 });
  chmodSync(victim, 0o640);
  chmodSync(dirname(victim), 0o750);
  for (const name of ["report/page", "archive/pool/x", "log/1.log", "other"])
    symlinkSync(victim, join(root, name));
  symlinkSync(dirname(victim), join(root, "report/tree"));
  putModesRight(root);
  expect(statSync(victim).mode & 0o777).toBe(0o640);
  expect(statSync(dirname(victim)).mode & 0o777).toBe(0o750);
});

test("a room that was moved to another disk is a room all the same", () => {
  state(0o022, "state.sqlite");
  mkdirSync(join(folder, "disk/ticket.1"), { recursive: true });
  symlinkSync(join(folder, "disk"), join(root, "store"));
  putModesRight(root);
  expect(mode("store")).toBe(0o700);
  expect(mode("store/ticket.1")).toBe(0o700);
});

test("a state that is not there is nobody's", () => {
  expect(() => putModesRight(root)).not.toThrow();
  expect(wrong()).toEqual([]);
});

test("a public file that is being written may be private until then", () => {
  state(0o077, "report/.tmp-one", "report/index.html");
  state(0, "report/.tmp-two");
  putModesRight(root);
  chmodSync(join(root, "report"), 0o755);
  chmodSync(join(root, "report/.tmp-one"), 0o600);
  chmodSync(join(root, "report/.tmp-two"), 0o666);
  expect(wrong()).toContain("report/.tmp-two");
  expect(wrong()).not.toContain("report/.tmp-one");
});
