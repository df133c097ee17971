import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import { fakeBackends, Installation } from "./support/program.ts";

// What is open, set and lying about where a command is started does not reach what it starts.
const bin = resolve(import.meta.dirname, "../bin/ubuntu-ci");
let ci: Installation;

beforeAll(() => {
  ci = new Installation(fakeBackends);
  ci.ok("init");
  ci.addUploader();
  // A gpg that tells what it was started with.
  const tools = join(ci.root, "tools");
  mkdirSync(tools);
  writeFileSync(
    join(tools, "gpg"),
    `#!/bin/bash\nls -l /proc/$$/fd >${ci.root}/open\nenv >${ci.root}/env\nexec /usr/bin/gpg "$@"\n`,
  );
  chmodSync(join(tools, "gpg"), 0o755);
});

afterAll(() => ci.remove());

function started(before: string, args: string, env: object = {}) {
  for (const name of ["open", "env"])
    rmSync(join(ci.root, name), { force: true });
  const { status, stderr } = spawnSync(
    "bash",
    ["-c", `${before}\n"$BIN" --state-dir ${ci.state} ${args}`],
    {
      encoding: "utf8",
      cwd: ci.root,
      env: {
        ...process.env,
        HOME: ci.root,
        BIN: bin,
        ...env,
        PATH: `${join(ci.root, "tools")}:${process.env["PATH"] ?? ""}`,
      },
    },
  );
  const seen = (name: string) =>
    existsSync(join(ci.root, name))
      ? readFileSync(join(ci.root, name), "utf8")
      : "";
  return { status, stderr, open: seen("open"), env: seen("env") };
}

test("descriptors that the caller had open reach no tool", () => {
  const folders = [3, 5, 10, 16, 17, 18, 19, 20, 21, 25, 30, 63, 200, 255];
  const { status, open } = started(
    `${folders.map((number) => `exec ${number}<${ci.root}`).join("\n")}\nexec 40>>${ci.root}/mine`,
    "uploaders list",
  );
  expect(status).toBe(0);
  // Of the caller's, standard input, output and error are left; the shell reads its script by another.
  expect(open).toMatch(/ 0 -> /);
  for (const line of open.split("\n").filter((text) => text.includes(" -> ")))
    expect(line).toMatch(/ [012] -> | -> \S*\/tools\/gpg$/);
});

test("variables that decide what a tool does reach none", () => {
  const mean = {
    TAR_OPTIONS: "--no-such-option",
    PERL5OPT: "-Mno::such::module",
    BASH_ENV: "/no/such",
    RSYNC_RSH: "/no/such",
    UBUNTU_CI_TOKEN: "secret",
  };
  const { status, env } = started("", "uploaders list", mean);
  expect(status).toBe(0);
  expect(env).toContain(`HOME=${ci.root}\n`);
  for (const name of Object.keys(mean)) expect(env).not.toContain(`${name}=`);
});

test("a configuration planted in the working folder, or above it, decides nothing", () => {
  const planted = JSON.stringify({
    admission: { signatures: "optional" },
    mirror: "http://mallory.example",
    report: { rsyncTarget: "mallory.example:" },
  });
  const yaml = "admission.signatures: optional\n";
  for (const folder of [ci.root, join(ci.root, "work")]) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(
      join(folder, "package.json"),
      JSON.stringify({ "ubuntu-ci": JSON.parse(planted) as object }),
    );
    for (const name of [".ubuntu-circ", ".ubuntu-circ.yaml"])
      writeFileSync(join(folder, name), yaml);
    for (const name of ["ubuntu-ci.config.json", "config.yaml"])
      writeFileSync(join(folder, name), planted);
  }
  const { status, stderr } = started(
    "cd work",
    `config --json >${ci.root}/seen`,
  );
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  const { settings } = JSON.parse(
    readFileSync(join(ci.root, "seen"), "utf8"),
  ) as { settings: { key: string; origin: string }[] };
  expect(settings.filter(({ origin }) => origin !== "default")).toEqual([]);
});

test("what decides trust in the caller's own folder is an error that says where it belongs", () => {
  const file = join(ci.root, ".config/ubuntu-ci/config.yaml");
  mkdirSync(join(ci.root, ".config/ubuntu-ci"), {
    recursive: true,
    mode: 0o755,
  });
  writeFileSync(file, "admission.signatures: optional\n", { mode: 0o644 });
  try {
    const { status, stderr } = started("", "status");
    expect(status).toBe(78);
    expect(stderr).toContain(
      `${file}: admission.signatures: decides whom to trust: it counts only in STATE/config.*`,
    );
    expect(stderr).not.toContain("a bug");
  } finally {
    rmSync(file);
  }
});
