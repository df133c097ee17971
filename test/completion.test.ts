import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import { fakeBackends, Installation, program } from "./support/program.ts";

let ci: Installation;
const bin = resolve(import.meta.dirname, "../bin/ubuntu-ci");
let folder: string;
const script = (shell: string) => join(folder, `ubuntu-ci.${shell}`);

/** Each script is tried in its own shell, in a folder with one file and one folder. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "uci-completion-"));
  for (const shell of ["bash", "zsh", "fish"])
    writeFileSync(
      script(shell),
      execFileSync(bin, ["completion", shell, "--state-dir", folder]),
    );
  mkdirSync(join(folder, "here/some folder"), { recursive: true });
  writeFileSync(join(folder, "here/hello.changes"), "");
  ci = new Installation({
    ...fakeBackends,
    admission: { signatures: "optional" },
    ppa: { pool: 2 },
  });
  ci.ok("init");
  ci.addUploader();
  const changes = ci.upload("hello", "1.0", program("hello"));
  ci.ok("create_ticket", "-t", "hello", "-s", changes);
});
afterAll(() => {
  ci.remove();
  rmSync(folder, { recursive: true, force: true });
});

const run = (...argv: [string, ...string[]]) =>
  execFileSync(argv[0], argv.slice(1), {
    encoding: "utf8",
    cwd: join(folder, "here"),
    env: {
      ...process.env,
      HOME: folder,
      XDG_CONFIG_HOME: folder,
      UBUNTU_CI_STATE_DIR: ci.state,
      PATH: `${dirname(bin)}:${process.env["PATH"] ?? ""}`,
    },
  })
    .split("\n")
    .filter((line) => line !== "");

/** What bash offers for the last of these words. */
function bash(...words: string[]): string[] {
  const code = [
    `source '${script("bash")}'`,
    // compopt works only while a person completes.
    "compopt() { :; }",
    'COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))',
    '_ubuntu_ci; printf "%s\\n" "${COMPREPLY[@]}"',
  ].join("\n");
  return run("bash", "-euc", code, "bash", ...words);
}

/** What zsh offers: its own ways to show it are replaced by a list. */
function zsh(...words: string[]): string[] {
  const code = [
    "compdef() { : }",
    `source '${script("zsh")}'`,
    "_describe() { print -rl -- ${(P)4} }",
    '_files() { print -r -- "files $*" }',
    'compadd() { shift; print -rl -- "$@" }',
    'words=("$@") CURRENT=$#',
    "_ubuntu_ci",
  ].join("\n");
  return run("zsh", "-fc", code, "zsh", ...words);
}

function fish(line: string): string[] {
  return run(
    "fish",
    "--no-config",
    "-c",
    `source '${script("fish")}'; complete -C '${line}'`,
  );
}

test("bash completes commands in both spellings, verbs, options and values", () => {
  expect(bash("ubuntu-ci", "cr")).toEqual(["create_ticket", "create-ticket"]);
  expect(bash("ubuntu-ci", "")).toContain("upgrade");
  expect(bash("ubuntu-ci", "maintenance", "o")).toEqual(["on", "off"]);
  expect(bash("ubuntu-ci", "maintenance", "on", "--re")).toEqual(["--reason"]);
  expect(bash("ubuntu-ci", "completion", "")).toEqual(["bash", "zsh", "fish"]);
  expect(bash("ubuntu-ci", "--config", "x", "upgrade", "--roll")).toEqual([
    "--rollback",
  ]);
  expect(bash("/opt/bin/create-ticket", "--tit")).toEqual(["--title"]);
});

test("bash offers files and folders where they are asked for, and nothing for a free text", () => {
  expect(bash("create_ticket", "-s", "h")).toEqual(["hello.changes"]);
  expect(bash("ubuntu-ci", "status", "--state-dir", "")).toEqual([
    "some folder",
  ]);
  expect(bash("ubuntu-ci", "create_ticket", "--title", "")).toEqual([]);
});

test("zsh completes the same, with what each word means", () => {
  expect(zsh("ubuntu-ci", "")).toContain(
    "upgrade:change the program for a newer one, or back",
  );
  expect(zsh("ubuntu-ci", "maintenance", "")).toContain(
    "off:let changing commands start again",
  );
  expect(zsh("ubuntu-ci", "upgrade", "--")).toContain(
    "--rollback:go back to the program before (default: no)",
  );
  expect(zsh("ubuntu-ci", "completion", "")).toEqual(["bash", "zsh", "fish"]);
  expect(zsh("ubuntu-ci", "status", "--state-dir", "")).toEqual(["files -/"]);
  expect(zsh("create_ticket", "-s", "")).toEqual(["files "]);
});

test("fish completes the same, with what each word means", () => {
  expect(fish("ubuntu-ci upg")).toEqual([
    "upgrade\tchange the program for a newer one, or back",
  ]);
  expect(fish("ubuntu-ci maintenance of")).toEqual([
    "off\tlet changing commands start again",
  ]);
  expect(fish("ubuntu-ci upgrade --rollb")).toEqual([
    "--rollback\tgo back to the program before (default: no)",
  ]);
  expect(fish("ubuntu-ci completion z")).toEqual(["zsh"]);
  expect(fish("ubuntu-ci create_ticket -s hel")).toEqual(["hello.changes"]);
});

const steps = [
  "assign-ppa",
  "build-source",
  "build-image",
  "run-tests",
  "publish",
];

test("bash completes what the state has: tickets, PPAs, revisions, uploaders", () => {
  expect(bash("ubuntu-ci", "land", "--ticket", "")).toEqual(["1"]);
  expect(bash("ubuntu-ci", "explain", "")).toEqual(["1"]);
  expect(bash(join(dirname(bin), "update_ticket"), "")).toEqual(["1"]);
  expect(bash("ubuntu-ci", "apt-source", "ci_pool-00")).toEqual([
    "ci_pool-001",
    "ci_pool-002",
  ]);
  expect(bash("ubuntu-ci", "archive", "show", "")).toEqual(["0"]);
  expect(bash("ubuntu-ci", "uploaders", "remove", "")).toEqual([
    expect.stringMatching(/^[0-9A-F]{40}$/),
  ]);
  expect(bash("ubuntu-ci", "land", "--until", "")).toEqual(steps);
  expect(bash("ubuntu-ci", "config", "report.")).toContain("report.title");
});

test("zsh and fish complete it, too", () => {
  expect(zsh("ubuntu-ci", "explain", "")).toEqual(["1"]);
  expect(zsh("ubuntu-ci", "retry", "1", "--from", "")).toEqual(steps);
  expect(fish("ubuntu-ci explain ")).toContain("1");
  expect(fish("ubuntu-ci retry 1 --from bu")).toEqual([
    expect.stringMatching(/^build-image\t/),
    expect.stringMatching(/^build-source\t/),
  ]);
  expect(fish("ubuntu-ci config report.ti")).toEqual(["report.title"]);
});

test("without a state nothing is offered, and nothing is said", () => {
  const nowhere = join(folder, "nowhere");
  expect(bash("ubuntu-ci", "--state-dir", nowhere, "explain", "")).toEqual([]);
  const asked = ci.run("completion", "bash", "--values", "tickets");
  expect(asked).toEqual({ code: 0, stdout: "1\n", stderr: "" });
});
