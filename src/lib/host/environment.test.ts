import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, test } from "vitest";

import {
  environmentOfAccount,
  environmentOfTools,
  sharedTemporaryFolder,
} from "./environment.ts";
import { execOk } from "./exec.ts";

/** Variables in the caller's environment that would change the behaviour of some tool. */
const ambient = {
  APT_CONFIG: "/x",
  BASH_ENV: "/x",
  DPKG_ROOT: "/x",
  ENV: "/x",
  GIT_DIR: "/x",
  GNUPGHOME: "/x",
  LD_LIBRARY_PATH: "/x",
  LD_PRELOAD: "/x.so",
  NODE_OPTIONS: "--require=/x",
  PERL5LIB: "/x",
  PERL5OPT: "-Mx",
  PYTHONPATH: "/x",
  RSYNC_RSH: "/x",
  SBUILD_CONFIG: "/x",
  SSH_AUTH_SOCK: "/x",
  TAR_OPTIONS: "--to-command=/x",
  UBUNTU_CI_CRASH_AT: "file.written",
  UBUNTU_CI_TOKEN: "secret",
  XDG_CONFIG_HOME: "/x",
  XDG_RUNTIME_DIR: "/x",
  XZ_OPT: "-9",
  ZSTD_CLEVEL: "19",
};

const account = { name: "ci", uid: 7, gid: 7, home: "/home/ci" };

test("a tool gets an environment that is set, not inherited", () => {
  const env = environmentOfTools({
    ...ambient,
    PATH: ".:/usr/bin:bin:",
    HOME: "/home/dev",
    LANG: "de_DE.UTF-8",
    LC_MESSAGES: "de_DE.UTF-8",
    TZ: "UTC",
    TMPDIR: "/tmp",
    https_proxy: "http://proxy:3128",
    NO_PROXY: "example.com",
  });
  for (const name of Object.keys(ambient)) expect(env).not.toHaveProperty(name);
  expect(env).toMatchObject({
    PATH: "/usr/bin",
    HOME: "/home/dev",
    TZ: "UTC",
    TMPDIR: "/tmp",
    https_proxy: "http://proxy:3128",
    NO_PROXY: "example.com",
    // Our code parses the messages of tools, which must therefore be in English.
    LANG: "C.UTF-8",
    LC_ALL: "C.UTF-8",
  });
  expect(env).not.toHaveProperty("LC_MESSAGES");
});

test("every tool that is run gets that one", async () => {
  Object.assign(process.env, ambient);
  try {
    const seen = await execOk(["env"], { env: { SBUILD_CONFIG: "/given" } });
    const names = seen.split("\n").map((line) => line.split("=")[0]);
    for (const name of Object.keys(ambient).filter(
      (one) => one !== "SBUILD_CONFIG",
    ))
      expect(names).not.toContain(name);
    expect(seen).toContain("SBUILD_CONFIG=/given\n");
    expect(await execOk(["env"], { cleanEnv: true, env: { A: "1" } })).toBe(
      "A=1\n",
    );
  } finally {
    for (const name of Object.keys(ambient))
      Reflect.deleteProperty(process.env, name);
  }
});

test("a program that root starts as another user has that user's own", () => {
  const env = environmentOfAccount(account, {
    ...ambient,
    PATH: "/root/bin:bin::/usr/local/bin:/root:/usr/bin:/rootless",
    HOME: "/root",
    USER: "root",
    LOGNAME: "root",
    MAIL: "/var/mail/root",
    TERM: "xterm",
    LC_TIME: "en_GB.UTF-8",
    SUDO_USER: "dev",
    UBUNTU_CI_CRON: "1",
  });
  expect(env).toEqual({
    PATH: "/usr/local/bin:/usr/bin:/rootless",
    HOME: "/home/ci",
    USER: "ci",
    LOGNAME: "ci",
    SHELL: "/bin/sh",
    TERM: "xterm",
    LC_TIME: "en_GB.UTF-8",
    SUDO_USER: "dev",
    UBUNTU_CI_CRON: "1",
  });
});

test("a temporary folder of root's own is nobody else's", () => {
  const folder = mkdtempSync(join(tmpdir(), "shared-"));
  try {
    const caller = { TMPDIR: folder };
    for (const mode of [0o700, 0o777, 0o1770]) {
      chmodSync(folder, mode);
      expect(sharedTemporaryFolder(caller)).toBe("/tmp");
      expect(environmentOfAccount(account, caller)).not.toHaveProperty(
        "TMPDIR",
      );
    }
    // A shared folder must belong to root: another owner could rename the files in it.
    chmodSync(folder, 0o1777);
    expect(sharedTemporaryFolder(caller)).toBe("/tmp");
    const roots = { TMPDIR: "/var/tmp" };
    expect(sharedTemporaryFolder(roots)).toBe("/var/tmp");
    expect(environmentOfAccount(account, roots)).toMatchObject(roots);
  } finally {
    rmSync(folder, { recursive: true });
  }
  expect(sharedTemporaryFolder({ TMPDIR: "/no/such" })).toBe("/tmp");
});
