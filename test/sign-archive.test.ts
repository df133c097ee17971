import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
} from "node:fs";
import { join, resolve } from "node:path";

import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  expect,
  test,
} from "vitest";

import { fakeBackends, Installation, program } from "./support/program.ts";

const aptly = {
  ...fakeBackends,
  archiveKeeper: "aptly",
  // Only the archive's age is looked at.
  check: {
    report: { warnMinutes: 0, criticalMinutes: 0 },
    backup: { warnHours: 0, criticalHours: 0 },
  },
};
const clock = resolve(import.meta.dirname, "crash/jumping-clock.js");
const day = 24 * 3_600_000;
let landed: Installation;
let ci: Installation;

beforeAll(() => {
  landed = new Installation(aptly);
  landed.ok("init");
  landed.addUploader();
  landed.ok(
    "create_ticket",
    "-t",
    "t",
    "-s",
    landed.upload("hello", "1.0", program("hello")),
  );
  landed.ok("land");
});
afterAll(() => landed.remove());
beforeEach(() => {
  ci = new Installation(aptly, undefined, landed);
});
afterEach(() => ci.remove());

/** Runs a command by a clock that is that many days ahead. */
function inDays(days: number, ...args: string[]) {
  ci.env["NODE_OPTIONS"] = `--import=${clock}`;
  ci.env["CRASH_CLOCK"] = String(days * day);
  const ended = ci.run(...args);
  delete ci.env["NODE_OPTIONS"];
  return ended;
}

const release = () =>
  readFileSync(join(ci.state, "archive/dists/bookworm/Release"), "utf8");
const json = (...args: string[]) =>
  JSON.parse(ci.ok(...args, "--json")) as Record<string, unknown>;

test("check warns when a third of the time is left, and is critical before it ends", () => {
  expect(inDays(6.5, "check")).toMatchObject({ code: 0 });
  expect(inDays(7, "check")).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(
      /^UBUNTU-CI WARNING - .*clients refuse the archive's bookworm after 20\S+ .*archive resign/,
    ) as string,
  });
  for (const [days, words] of [
    [9.5, "clients refuse the archive's bookworm after"],
    [11, "clients refuse the archive's bookworm: it was valid until"],
  ] as const)
    expect(inDays(days, "check")).toMatchObject({
      code: 2,
      stdout: expect.stringContaining(words) as string,
    });
});

test("resign makes no revision, runs in maintenance, and --dry-run does nothing", () => {
  const revisions = json("archive", "list");
  const before = release();
  expect(ci.ok("archive", "resign", "--dry-run")).toContain(
    "valid for 10 days from now; no revision is made",
  );
  expect(release()).toBe(before);
  ci.ok("maintenance", "on", "--reason", "a test");
  expect(inDays(9, "archive", "resign")).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^valid until 20/) as string,
  });
  expect(release()).not.toBe(before);
  expect(json("archive", "list")).toEqual(revisions);
  // Dated ahead, it would be refused.
  expect(ci.run("check")).toMatchObject({
    code: 2,
    stdout: expect.stringContaining("refuses a date in the future") as string,
  });
  expect(json("archive", "resign")).toMatchObject({
    signed_by: [expect.stringMatching(/^[0-9A-F]{40}$/)],
  });
  expect(ci.run("check").code).toBe(0);
});

test("a key is rotated: both sign and are printed, until the old one is retired", () => {
  const keys = join(ci.state, "gnupg/private-keys-v1.d");
  expect(ci.ok("archive", "rotate-key", "--dry-run")).toContain(
    "sign the archive with both",
  );
  expect(readdirSync(keys)).toHaveLength(1);
  expect(ci.run("archive", "rotate-key", "--finish")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("no rotation is under way") as string,
  });
  expect(ci.run("archive", "rotate-key", "--force").code).toBe(2);
  const before = ci.ok("apt-source");
  const signedBy = ci.ok("archive", "rotate-key").split("\n");
  expect(signedBy).toHaveLength(2);
  expect(release()).toContain(`\nSigned-By: ${signedBy.join(",")}\n`);
  const both = ci.ok("apt-source");
  expect(both.length).toBeGreaterThan(before.length);
  expect(both.match(/BEGIN PGP/g)).toHaveLength(1);
  expect(ci.run("archive", "rotate-key")).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(
      /two keys sign already[^]*rotate-key --finish/,
    ) as string,
  });
  expect(readdirSync(keys)).toHaveLength(2);
  for (const name of readdirSync(keys))
    expect(statSync(join(keys, name)).mode & 0o777).toBe(0o600);

  // Both are in a backup.
  mkdirSync(join(ci.root, "backups"));
  const file = join(ci.root, "backups/backup.tar.zst");
  ci.ok("backup", file);
  ci.ok("maintenance", "on");
  ci.ok("restore", file);
  ci.ok("maintenance", "off");
  expect(readdirSync(keys)).toHaveLength(2);
  expect(ci.ok("fsck")).toBe("all is well");
  expect(release()).toContain(signedBy.join(","));

  expect(ci.run("archive", "rotate-key", "--finish")).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(
      /clients have had until[^]*--finish --force/,
    ) as string,
  });
  expect(inDays(91, "check").stdout).toContain(
    "the old signing key still signs",
  );
  expect(ci.ok("archive", "rotate-key", "--finish", "--force")).toBe(
    signedBy[0],
  );
  expect(readdirSync(keys)).toHaveLength(1);
  expect(ci.ok("log")).toMatch(/key added[^]*key retired/);
  expect(ci.ok("fsck")).toBe("all is well");
  expect(ci.run("check").code).toBe(0);
});

test("killed, a rotation is told by fsck, and the same command goes on", () => {
  ci.env["UBUNTU_CI_CRASH_AT"] = "key.merged";
  expect(ci.run("archive", "rotate-key").code).toBeNull();
  delete ci.env["UBUNTU_CI_CRASH_AT"];
  expect(ci.run("check").code).toBe(0);
  expect(ci.run("fsck").stdout).toContain(
    "a rotation of the signing key was killed",
  );
  expect(ci.ok("archive", "rotate-key").split("\n")).toHaveLength(2);
  expect(ci.ok("fsck")).toBe("all is well");
  ci.env["UBUNTU_CI_CRASH_AT"] = "key.resigned";
  expect(
    ci.run("archive", "rotate-key", "--finish", "--force").code,
  ).toBeNull();
  delete ci.env["UBUNTU_CI_CRASH_AT"];
  expect(ci.run("fsck").stdout).toContain(
    "a rotation of the signing key was killed",
  );
  expect(ci.ok("archive", "rotate-key", "--finish").split("\n")).toHaveLength(
    1,
  );
  expect(ci.ok("fsck")).toBe("all is well");
  expect(existsSync(join(ci.state, "gnupg.new"))).toBe(false);
});
