import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

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
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (...argv: [string, ...string[]]) =>
  execFileSync(argv[0], argv.slice(1), {
    encoding: "utf8",
    cwd: join(folder, "here"),
    env: { ...process.env, HOME: folder, XDG_CONFIG_HOME: folder },
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

test("bash offers files and folders where they are asked for, and nothing for a number", () => {
  expect(bash("create_ticket", "-s", "h")).toEqual(["hello.changes"]);
  expect(bash("ubuntu-ci", "status", "--state-dir", "")).toEqual([
    "some folder",
  ]);
  expect(bash("ubuntu-ci", "land", "--ticket", "")).toEqual([]);
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
