import { spawnSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { fakeBackends, Installation, program } from "./support/program.ts";

// Root starts a command on another user's state: it becomes that user. In a user namespace this
// user is root, and one of our subuids is the other user.
const bin = resolve(import.meta.dirname, "../bin/ubuntu-ci");
const daemon = "1:1";

let ci: Installation;
let upload: string;

beforeEach(() => {
  ci = new Installation({
    ...fakeBackends,
  });
  ci.ok("init");
  ci.addUploader();
  upload = ci.upload("hello", "1.0", program("hello"));
  chmodSync(ci.root, 0o755);
  chmodSync(dirname(upload), 0o700);
  mkdirSync(join(ci.root, "tmp"));
  chmodSync(join(ci.root, "tmp"), 0o1777);
  asRoot("chown", "--recursive", daemon, ci.state);
});

afterEach(() => ci.remove());

function asRoot(...argv: string[]) {
  const { status, stdout, stderr } = spawnSync(
    "unshare",
    ["--user", "--map-auto", "--map-root-user", "--", ...argv],
    {
      encoding: "utf8",
      cwd: dirname(upload),
      env: {
        ...process.env,
        HOME: ci.root,
        TMPDIR: join(ci.root, "tmp"),
        NO_COLOR: "1",
      },
    },
  );
  return { code: status, stdout, stderr };
}

const rootRuns = (...args: string[]) =>
  asRoot(
    bin,
    "--state-dir",
    ci.state,
    "--config",
    join(ci.root, "config.json"),
    ...args,
  );

const nothingLeft = () => {
  expect(readdirSync(join(ci.root, "tmp"))).toEqual([]);
  expect(asRoot("ls", "-A", join(ci.state, "scratch")).stdout).toBe("");
};

test("an upload and a key that only root may read are taken", () => {
  const key = join(dirname(upload), "key.asc");
  renameSync(join(ci.root, "dev.asc"), key);
  chmodSync(key, 0o600);
  expect(rootRuns("uploaders", "add", "key.asc")).toMatchObject({ code: 0 });
  expect(
    rootRuns("create_ticket", "-t", "root's", "-s", basename(upload)),
  ).toEqual({ code: 0, stdout: "1\n", stderr: "" });
  const { stdout } = asRoot(
    "find",
    ci.state,
    "-not",
    "-uid",
    "1",
    "-o",
    "-name",
    "hello_1.0.tar.xz",
    "-printf",
    "%s",
  );
  expect(Number(stdout)).toBeGreaterThan(0);
  nothingLeft();
});

test("a link in an upload leads nowhere, and what is wrong is named by its own path", () => {
  const secret = join(dirname(upload), "secret");
  writeFileSync(secret, "root's own", { mode: 0o600 });
  const tarball = join(dirname(upload), "hello_1.0.tar.xz");
  renameSync(tarball, `${tarball}.away`);
  symlinkSync(secret, tarball);
  const refused = rootRuns("create_ticket", "-t", "x", "-s", upload);
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain(
    `${upload}: Files: hello_1.0.tar.xz is a link`,
  );
  expect(rootRuns("create_ticket", "-t", "x", "-s", secret).stderr).toContain(
    `${secret}: is not called NAME_VERSION_source.changes`,
  );
  nothingLeft();
});

test("where only root may write, the message says how", () => {
  expect(rootRuns("create_ticket", "-t", "x", "-s", upload).code).toBe(0);
  const name = "hello_1.0.dsc";
  const refused = rootRuns("get_artifact", "1", name);
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain(
    `${join(dirname(upload), name)} cannot be written by daemon`,
  );
  expect(refused.stderr).toContain("--output - >FILE");
  expect(rootRuns("get_artifact", "1", name, "-o", "-").stdout).toBe(
    readFileSync(join(dirname(upload), name), "utf8"),
  );
});
