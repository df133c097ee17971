import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { basename, dirname, join, resolve } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { asUser } from "./support/as-user.ts";
import { fakeBackends, Installation, program } from "./support/program.ts";

// Root starts a command on another user's state: it becomes that user. In a user namespace this
// user is root, and one of our subuids is the other user.
const bin = resolve(import.meta.dirname, "../bin/ubuntu-ci");
const daemon = "1:1";

let ci: Installation;
let upload: string;

beforeEach(() => install(fakeBackends));

afterEach(() => ci.remove());

/** An installation whose state belongs to another user than root, and an upload that root alone may read. */
function install(config: object): void {
  ci = new Installation(config);
  ci.ok("init");
  ci.addUploader();
  upload = ci.upload("hello", "1.0", program("hello"));
  chmodSync(ci.root, 0o755);
  chmodSync(dirname(upload), 0o700);
  mkdirSync(join(ci.root, "tmp"));
  chmodSync(join(ci.root, "tmp"), 0o1777);
  asRoot("chown", "--recursive", daemon, ci.state);
}

const asRoot = (...argv: string[]) =>
  asUser(0, argv, {
    cwd: dirname(upload),
    env: { HOME: ci.root, TMPDIR: join(ci.root, "tmp") },
  });

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

test("a link to another name in its folder is followed, as uscan makes it for a tarball", () => {
  const tarball = join(dirname(upload), "hello_1.0.tar.xz");
  renameSync(tarball, join(dirname(upload), "hello-1.0.tar.xz"));
  chmodSync(join(dirname(upload), "hello-1.0.tar.xz"), 0o600);
  symlinkSync("hello-1.0.tar.xz", tarball);
  expect(rootRuns("create_ticket", "-t", "x", "-s", upload)).toEqual({
    code: 0,
    stdout: "1\n",
    stderr: "",
  });
  nothingLeft();
});

test("root removes nothing that another user has put under the name of its own", () => {
  // The name of a folder that a process left which is gone: no boot has that id.
  const name = `ubuntu-ci-handed.1-1-00000000-0000-0000-0000-000000000000-${hostname().replaceAll(/[^A-Za-z0-9-]/g, "_")}`;
  const [link, planted] = ["AAAAAA", "BBBBBB"].map((end) =>
    join(ci.root, "tmp", `${name}.${end}`),
  ) as [string, string];
  const precious = join(dirname(upload), "precious");
  writeFileSync(precious, "");
  asRoot("ln", "--symbolic", dirname(upload), link);
  asRoot("mkdir", planted);
  asRoot("ln", "--symbolic", dirname(upload), join(planted, "link"));
  asRoot("chown", "--no-dereference", "--recursive", "2:2", link, planted);
  expect(rootRuns("create_ticket", "-t", "x", "-s", upload).code).toBe(0);
  expect(readdirSync(join(ci.root, "tmp")).sort()).toEqual(
    [link, planted].map((path) => basename(path)),
  );
  expect(readdirSync(dirname(upload))).toContain("precious");
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

test("land publishes into an archive that apt checks, and leaves nothing of root's", () => {
  ci.remove();
  install({ ...fakeBackends, archiveKeeper: "aptly" });
  expect(rootRuns("create_ticket", "-t", "x", "-s", upload).code).toBe(0);
  expect(rootRuns("land")).toMatchObject({ code: 0, stderr: "" });
  const { stdout } = rootRuns("archive", "show", "1");
  expect(stdout).toContain("hello");
  expect(asRoot("find", ci.state, "-not", "-uid", "1").stdout).toBe("");
  nothingLeft();
});

test("a backup that root alone may read is restored", () => {
  expect(rootRuns("create_ticket", "-t", "x", "-s", upload).code).toBe(0);
  const made = rootRuns("backup").stdout.trim();
  const backup = join(dirname(upload), "backup.tar.zst");
  asRoot("cp", made, backup);
  asRoot("chmod", "600", backup);
  const fresh = ["--state-dir", join(ci.root, "fresh")];
  asRoot("mkdir", join(ci.root, "fresh"));
  asRoot("chown", daemon, join(ci.root, "fresh"));
  const restored = rootRuns(...fresh, "restore", basename(backup));
  expect(restored).toMatchObject({ code: 0 });
  expect(restored.stdout).toContain(` from ${backup}: `);
  expect(rootRuns(...fresh, "status").stdout).toContain("hello 1.0");
  nothingLeft();
});

test("it is a new process, with nothing of root's but its standard input, output and error", () => {
  // A gpg that tells what it was started with; it is the state's owner's.
  const tools = join(ci.root, "tools");
  const told = join(ci.root, "tmp/told");
  mkdirSync(tools);
  writeFileSync(
    join(tools, "gpg"),
    `#!/bin/bash\n{ ls -ld /proc/$PPID/fd; ls -l /proc/$PPID/fd; cat /proc/$PPID/status; tr "\\0" "\\n" </proc/$PPID/environ; readlink /proc/$PPID/cwd; } >${told}\nexec /usr/bin/gpg "$@"\n`,
  );
  chmodSync(tools, 0o755);
  chmodSync(join(tools, "gpg"), 0o755);
  const { code } = asRoot(
    ...["bash", "-c"],
    `exec 3<. 9<. 17<. 200<.; export HOME=/root XDG_CONFIG_HOME=/root GNUPGHOME=/root NODE_OPTIONS=--no-warnings PATH=${tools}:$PATH; "$@"`,
    "bash",
    ...[bin, "--state-dir", ci.state, "uploaders", "list"],
  );
  expect(code).toBe(0);
  const said = asRoot("cat", told).stdout;
  asRoot("rm", told);
  // /proc/self is its own: it may be dumped, which a process that has called setuid may not.
  expect(said).toMatch(/^d\S+ +\S+ +daemon +daemon .*\/fd$/m);
  expect(said).toMatch(/^Uid:\t1\t1\t1\t1$/m);
  expect(said).toMatch(/^Gid:\t1\t1\t1\t1$/m);
  expect(said).toMatch(/^Groups:\t1 $/m);
  expect(said).toMatch(/^CapEff:\t0+$/m);
  expect(said).not.toContain(` -> ${dirname(upload)}`);
  expect(said).not.toMatch(/^(?:XDG_CONFIG_HOME|GNUPGHOME|NODE_OPTIONS)=/m);
  expect(said).toMatch(/^USER=daemon$/m);
  // The working folder is closed to it.
  expect(said).toMatch(/^\/$/m);
});

test("signals reach it, and how it ended is how root's process ends", () => {
  const follow = (signal: string) =>
    asRoot(
      ...["bash", "-c"],
      // It is told once it has said something; the shell then tells how it ended.
      `coproc LOG { exec "\${@:2}"; }; read -r -u "\${LOG[0]}" _; kill -"$1" "$LOG_PID"; wait "$LOG_PID"`,
      ...["bash", signal, bin, "--state-dir", ci.state, "log", "--follow"],
    );
  const left = () =>
    asRoot("bash", "-c", "pgrep -u 1 -f 'log --follow' || true").stdout;
  // It ends by itself when it is asked to.
  expect(follow("TERM").code).toBe(0);
  expect(follow("INT").code).toBe(0);
  expect(follow("HUP").code).toBe(128 + 1);
  expect(left()).toBe("");
});

test.each([
  [
    "of a user whom nobody knows",
    "chown --recursive 4321 STATE",
    "belongs to the user 4321, whom this machine does not know",
  ],
])("a state folder %s", (_name, change, message) => {
  asRoot("sh", "-c", change.replace("STATE", ci.state));
  const { code, stderr } = rootRuns("status");
  expect({ code, stderr }).toEqual({
    code: 78,
    stderr: expect.stringContaining(message) as string,
  });
});

test("only a command that begins a state has root make its folder", () => {
  for (const command of ["status", "land", "doctor", "config"]) {
    const place = join(ci.root, "no-state");
    const { code } = asRoot(bin, "--state-dir", place, command);
    expect([command, code]).toEqual([command, command === "config" ? 0 : 78]);
    expect(readdirSync(ci.root)).not.toContain("no-state");
  }
});
