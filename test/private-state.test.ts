import { spawnSync } from "node:child_process";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { fakeBackends, Installation, program } from "./support/program.ts";
import {
  asStranger,
  attemptAsStranger,
  everythingIn,
} from "./support/stranger.ts";

// Everything below a state folder, tried by a user who is nobody to it.

const isPublic = (path: string) => /^(?:archive|ppa|report)(?:\/|$)/.test(path);

let installation: Installation;

/** An installation with something in every room: a landed ticket, one that fills a PPA, one that waits. */
function install(umask: string): Installation {
  // The way to the state is open; TMPDIR has to be, too.
  if (
    spawnSync(asStranger[0] ?? "", [...asStranger.slice(1), "ls", tmpdir()])
      .status !== 0
  )
    process.env["TMPDIR"] = "/var/tmp";
  const made = new Installation(fakeBackends);
  chmodSync(made.root, 0o711);
  made.umask = umask;
  made.ok("init");
  made.addUploader();
  const create = (name: string) =>
    made.ok(
      "create_ticket",
      "-t",
      name,
      "-s",
      made.upload(name, "1.0", program(name)),
    );
  create("landed");
  made.ok("land", "--ticket", "1");
  create("building");
  made.ok("assign-ppa", "--ticket", "2");
  made.ok("build-source", "--ticket", "2");
  create("waiting");
  made.ok("backup");
  made.ok("shepherd-report");
  for (const [folder, file] of [
    ["layers/image-x/root", "file"],
    ["scratch/run.99/upper/tmp", "file"],
    ["set-aside/restore-1/store", "file"],
    ["quickstart/gnupg", "key"],
  ] as const) {
    mkdirSync(join(made.state, folder), { recursive: true });
    writeFileSync(join(made.state, folder, file), "x");
  }
  // A running testbed's /tmp is everybody's, inside.
  chmodSync(join(made.state, "scratch/run.99/upper/tmp"), 0o1777);
  made.ok("maintenance", "on", "--reason", "a test");
  made.ok("status");
  return made;
}

/** Paths in the state, relative to it, that another user could do that with. */
function strangerIn(state: string) {
  const paths = everythingIn(state);
  const { user, read, listed, changed } = attemptAsStranger(paths);
  expect(user).toBe(1);
  return {
    paths: paths.map((path) => relative(state, path)),
    read: read.map((path) => relative(state, path)).sort(),
    listed: listed.map((path) => relative(state, path)).sort(),
    changed,
  };
}

function expectOnlyPublic(state: string): void {
  const { paths, read, listed, changed } = strangerIn(state);
  const open = paths.filter(isPublic);
  const kindOf = (path: string) => statSync(join(state, path));
  expect(read).toEqual(
    open.filter((path) => !kindOf(path).isDirectory()).sort(),
  );
  expect(listed).toEqual(
    open.filter((path) => kindOf(path).isDirectory()).sort(),
  );
  expect(changed).toEqual([]);
  // There is something to be read, and something not to be.
  for (const room of ["archive", "ppa", "report"])
    expect(read.some((path) => path.startsWith(`${room}/`))).toBe(true);
  for (const room of readdirSync(state).filter((name) => !isPublic(name)))
    expect(paths).toContain(room);
}

describe.each(["000", "077"])("made with umask %s", (umask) => {
  beforeAll(() => {
    installation = install(umask);
  });
  afterAll(() => installation.remove());

  test("a stranger reads archive, PPAs and report, nothing else, and changes nothing", () => {
    expectOnlyPublic(installation.state);
  });

  test("rooms and files have the modes that say so", () => {
    const { state } = installation;
    const mode = (name: string) => lstatSync(join(state, name)).mode & 0o7777;
    expect(mode("")).toBe(0o711);
    for (const name of readdirSync(state)) {
      const isFolder = lstatSync(join(state, name)).isDirectory();
      const wanted = isPublic(name) ? 0o755 : isFolder ? 0o700 : 0o600;
      expect([name, mode(name)]).toEqual([name, wanted]);
    }
    for (const path of everythingIn(state).map((path) => relative(state, path)))
      if (isPublic(path) && !lstatSync(join(state, path)).isSymbolicLink())
        expect([path, mode(path)]).toEqual([
          path,
          statSync(join(state, path)).isDirectory() ? 0o755 : 0o644,
        ]);
    expect(installation.run("fsck").stderr).toBe("");
  });

  test("what a person fetches has the mode that their umask gives", () => {
    const { root } = installation;
    const image = join(root, "image");
    installation.ok("get_image", "1", "-o", image);
    expect(statSync(image).mode & 0o7777).toBe(0o666 & ~parseInt(umask, 8));
  });

  test("a state that a program of before made is put right by the first command", () => {
    const { state } = installation;
    installation.ok("maintenance", "off");
    for (const path of everythingIn(state)) {
      const found = lstatSync(path);
      if (found.isSymbolicLink() || /\/(?:gnupg|backups)(?:\/|$)/.test(path))
        continue;
      chmodSync(path, found.isDirectory() ? 0o755 : 0o644);
    }
    expect(strangerIn(state).read).toContain("state.sqlite");
    installation.ok("status");
    expectOnlyPublic(state);
    // What the report has as well is the same file.
    const stored = everythingIn(join(state, "store"))
      .map((path) => lstatSync(path))
      .filter((found) => found.isFile() && found.nlink === 1);
    expect(stored.length).toBeGreaterThan(0);
    for (const found of stored) expect(found.mode & 0o777).toBe(0o600);
  });

  test("fsck sees wrong modes, and mends them", () => {
    const { state } = installation;
    const pages = join(state, "report/index.html");
    const log = join(state, "log");
    chmodSync(pages, 0o600);
    chmodSync(log, 0o755);
    const found = JSON.parse(installation.run("fsck", "--json").stdout) as {
      findings: { check: string; where: string; what: string }[];
    };
    expect(
      found.findings.filter(({ check }) => check === "mode"),
    ).toMatchObject([
      { where: log, what: "its mode is 0755, not 0700" },
      { where: pages, what: "its mode is 0600, not 0644" },
    ]);
    installation.run("fsck", "--mend");
    expect(statSync(pages).mode & 0o777).toBe(0o644);
    expect(statSync(log).mode & 0o777).toBe(0o700);
    expectOnlyPublic(state);
  });

  test("a state that was restored is as private, and its archive as public", () => {
    const { state } = installation;
    const [backup = ""] = readdirSync(join(state, "backups"));
    installation.ok("maintenance", "on");
    installation.ok("restore", join(state, "backups", backup));
    installation.ok("maintenance", "off");
    const { paths, read, listed, changed } = strangerIn(state);
    expect([...read, ...listed].sort()).toEqual(paths.filter(isPublic).sort());
    expect(read.some((path) => path.endsWith(".dsc"))).toBe(true);
    expect(changed).toEqual([]);
  });
});
