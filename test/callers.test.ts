import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { asUser } from "./support/as-user.ts";
import { fakeBackends, Installation, program } from "./support/program.ts";
import { everyVerb, shortestLine } from "./support/verbs.ts";

// Every command there is, as it defines itself, by everybody who may call it: root, the owner of the
// state folder, and a stranger. A new command is tried without a word here.
const bin = resolve(import.meta.dirname, "../bin/ubuntu-ci");
const [root, owner, stranger] = [0, 1, 2];

let ci: Installation;
let upload: string;
let key: string;

beforeAll(() => {
  ci = new Installation(fakeBackends);
  ci.ok("init");
  ci.addUploader();
  key = join(ci.root, "dev.asc");
  upload = ci.upload("hello", "1.0", program("hello"));
  ci.ok("create_ticket", "-t", "a ticket", "-s", upload);
  cpSync(ci.state, join(ci.root, "mine"), {
    recursive: true,
    verbatimSymlinks: true,
  });
  chmodSync(ci.root, 0o755);
  for (const name of ["tmp", "stranger", "copy"])
    mkdirSync(join(ci.root, name));
  chmodSync(join(ci.root, "tmp"), 0o1777);
  asRoot("cp", "--archive", `${ci.state}/.`, join(ci.root, "copy"));
  for (const state of [ci.state, join(ci.root, "copy")]) {
    asRoot("chown", "--recursive", "1:1", state);
    asRoot("chmod", "--recursive", "go-rwx", state);
    asRoot("chmod", "711", state);
  }
  asRoot("chown", "2:2", join(ci.root, "stranger"));
});

afterAll(() => ci.remove());

const asRoot = (...argv: string[]) =>
  asUser(root, argv, { cwd: ci.root, env: {} });

/** The values of arguments and options that a command cannot do without. */
function valueOf(name: string): string {
  switch (name) {
    case "shell":
      return "bash";
    case "keyfile":
      return key;
    case "sources":
    case "file":
      return upload;
    case "fingerprint":
      return "A".repeat(40);
    case "name":
      return "ci_pool-009";
    case "state":
      return "ok";
    default:
      return "1";
  }
}

/** The shortest line of each command, or each of its verbs; `upgrade` would change this very checkout. */
const lines = (await everyVerb()).map((known) => [
  ...shortestLine(known, valueOf),
  ...(known.words[0] === "upgrade" ? ["--dry-run"] : []),
  // A ticket or a landing.
  ...(known.words[0] === "explain" ? ["1"] : []),
]);

function calls(uid: number, state: string, args: readonly string[]) {
  const mine = uid === stranger ? join(ci.root, "stranger") : ci.root;
  return asUser(uid, [bin, ...args], {
    cwd: mine,
    env: {
      HOME: mine,
      TMPDIR: join(ci.root, "tmp"),
      UBUNTU_CI_STATE_DIR: state,
    },
  });
}

/** Everything in a folder with its owner, mode, time and contents. */
const everythingIn = (folder: string) =>
  asRoot(
    ...["sh", "-c"],
    'cd "$1" && find . -printf "%p %u %m %s %T@ %l\\n" | sort && find . -type f -print0 | sort -z | xargs -0 sha256sum',
    "sh",
    folder,
  ).stdout;

describe("a result that cannot be written is told in one line", () => {
  test.each(
    lines
      // It would ask a mirror.
      .filter(([command]) => command !== "refresh-bases")
      .map((line) => [line.slice(0, 2).join(" "), line] as const),
  )("%s", (_name, line) => {
    const config = ["--config", join(ci.root, "config.json")];
    const { status, stderr } = spawnSync(
      "sh",
      ["-c", 'exec "$@" >/dev/full', "sh", bin, ...line, "--json", ...config],
      {
        encoding: "utf8",
        env: {
          ...process.env,
          HOME: ci.root,
          UBUNTU_CI_STATE_DIR: join(ci.root, "mine"),
        },
      },
    );
    // An error of the command's own comes before it.
    const said = stderr.trimEnd().split("\n");
    expect({ status, last: said.at(-1) }).toEqual({
      status: 74,
      last: "ubuntu-ci: standard output cannot be written: no space left on device",
    });
    expect(
      said.filter((told) => told.includes("cannot be written")),
    ).toHaveLength(1);
    expect(stderr).not.toMatch(/^ {4}at /m);
  });
});

describe("a stranger changes nothing and is told why", () => {
  test.each(lines.map((line) => [line.slice(0, 2).join(" "), line] as const))(
    "%s",
    (_name, line) => {
      const [command = ""] = line;
      const before = everythingIn(ci.root);
      const { code, stdout, stderr } = calls(stranger, ci.state, line);
      expect(everythingIn(ci.root)).toBe(before);
      const said = `${stdout}${stderr}`;
      expect(said).not.toMatch(/a bug of ubuntu-ci|^ +at |EACCES|EPERM/m);
      // It has nothing to do with any state.
      if (["completion", "verify-report"].includes(command)) return;
      // For monitoring, what could not be found out is UNKNOWN.
      expect({ command, said, code }).toEqual({
        command,
        said,
        code: command === "check" ? 3 : 78,
      });
      expect(said).toContain(`the state in ${ci.state} belongs to daemon`);
    },
  );
});

describe("root gets what the owner gets, and leaves nothing of root's", () => {
  beforeAll(() => {
    for (const state of [ci.state, join(ci.root, "copy")]) {
      const file = join(state, "config.json");
      asRoot(
        ...["sh", "-c", 'printf %s "$1" >"$2" && chown 1:1 "$2"', "sh"],
        JSON.stringify(fakeBackends),
        file,
      );
    }
    // Upload and key may be anybody's to read here; root.test.ts has those that are not.
    asRoot("chmod", "--recursive", "a+rX", join(upload, ".."));
  });

  test.each(lines.map((line) => [line.slice(0, 2).join(" "), line] as const))(
    "%s",
    (_name, line) => {
      const byOwner = calls(owner, ci.state, line);
      const byRoot = calls(root, join(ci.root, "copy"), line);
      expect({ line, code: byRoot.code, said: byRoot.stderr }).toEqual({
        line,
        code: byOwner.code,
        said: byOwner.stderr.replaceAll(ci.state, join(ci.root, "copy")),
      });
      expect(`${byRoot.stdout}${byRoot.stderr}`).not.toMatch(
        /a bug of ubuntu-ci|^ +at /m,
      );
      const left = ["find", join(ci.root, "copy"), "-not", "-uid", "1"];
      expect(asRoot(...left).stdout).toBe("");
      expect(asRoot("ls", "-A", join(ci.root, "tmp")).stdout).toBe("");
    },
  );
});
