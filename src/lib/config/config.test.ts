import { execFileSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { UbuntuCiError } from "../domain/error.ts";
import type { Setting } from "../domain/setting.ts";
import { settings } from "./settings.ts";
import { configOf, loadConfig } from "./config.ts";

const here = process.cwd();
const home = process.env["HOME"];
let folder: string;
let state: string;

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "config-")));
  state = join(folder, "state");
  process.env["HOME"] = join(folder, "home");
  for (const name of ["home/work/deep", "state"])
    mkdirSync(join(folder, name), { recursive: true, mode: 0o755 });
  process.chdir(join(folder, "home/work/deep"));
});

afterEach(() => {
  process.chdir(here);
  process.env["HOME"] = home;
  rmSync(folder, { recursive: true, force: true });
});

function put(path: string, text: string): string {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
  writeFileSync(file, text);
  chmodSync(file, 0o644);
  return file;
}

async function refusal(contents: Promise<unknown> | (() => unknown)) {
  try {
    await (typeof contents === "function" ? contents() : contents);
  } catch (thrown) {
    if (thrown instanceof UbuntuCiError) return thrown;
    throw thrown;
  }
  throw new Error("nothing was refused");
}

describe("where the configuration comes from", () => {
  test("without a file every setting has its default, which is right itself", async () => {
    const config = await loadConfig(undefined, state);
    expect(config.file).toBeNull();
    for (const setting of settings) {
      expect(config.get(setting.key)).toEqual(setting.default);
      expect(config.origin(setting.key)).toBe("default");
    }
    const nested = Object.fromEntries(
      settings
        .filter((setting) => setting.default !== null)
        .map((setting) => [setting.key, setting.default]),
    );
    expect(() => configOf(nested, null)).not.toThrow();
  });

  test("the state's own file wins over the user's", async () => {
    const user = put(
      "home/.config/ubuntu-ci/config.json",
      '{"concurrency": 2}',
    );
    expect((await loadConfig(undefined, state)).file).toBe(user);
    const own = put("state/config.yaml", "concurrency: 4\n");
    const config = await loadConfig(undefined, state);
    expect(config.file).toBe(own);
    expect(config.get("concurrency")).toBe(4);
    expect(config.origin("concurrency")).toBe(own);
    expect(config.origin("series")).toBe("default");
    put("state/config.json", '{"concurrency": 5}');
    expect((await loadConfig(undefined, state)).get("concurrency")).toBe(5);
  });

  test.each([
    ["package.json", '{"ubuntu-ci": {"concurrency": 9}}'],
    [".ubuntu-circ", "concurrency: 9\n"],
    [".ubuntu-circ.yaml", "concurrency: 9\n"],
    ["ubuntu-ci.config.json", '{"concurrency": 9}'],
    ["ubuntu-ci.config.yaml", "concurrency: 9\n"],
    ["config.json", '{"concurrency": 9}'],
    [".config/ubuntu-ci.json", '{"concurrency": 9}'],
  ])(
    "%s in the working folder, or above it, is never read",
    async (name, text) => {
      for (const place of ["home/work/deep", "home/work", "home", "."])
        put(join(place, name), text);
      const config = await loadConfig(undefined, state);
      expect(config.file).toBeNull();
      expect(config.get("concurrency")).toBe(1);
    },
  );

  test("a file that is named is the only one, and is meant from the working folder", async () => {
    put("state/config.json", '{"concurrency": 3}');
    const named = put("elsewhere/mine.json", '{"series": ["bookworm"]}');
    const config = await loadConfig(named, state);
    expect(config.get("series")).toEqual(["bookworm"]);
    expect(config.get("concurrency")).toBe(1);
  });

  test("a file that is missing or broken is named", async () => {
    for (const file of [
      join(folder, "missing.json"),
      put("broken.json", '{"series": '),
      put("broken.yaml", "series: [\n"),
      put("program.js", "module.exports = {};\n"),
      put("program.mjs", "export default {};\n"),
    ]) {
      const error = await refusal(loadConfig(file, state));
      expect(error.exitCode).toBe(78);
      expect(error.message).toContain(file);
    }
  });

  test("a link that leads nowhere is not passed over for the next place", async () => {
    const link = join(state, "config.yaml");
    symlinkSync("gone.yaml", link);
    put("home/.config/ubuntu-ci/config.json", '{"concurrency": 2}');
    const error = await refusal(loadConfig(undefined, state));
    expect(error.message).toContain(link);
  });

  test("an empty file, or one of comments, is one without settings", async () => {
    for (const text of ["", "\n", "# concurrency: 2\n"]) {
      const config = await loadConfig(put("empty.yaml", text), state);
      expect(config.get("concurrency")).toBe(1);
    }
  });
});

describe("who may have written it", () => {
  const refusedFor = async (file: string, named = file) => {
    const error = await refusal(loadConfig(named, state));
    expect(error.exitCode).toBe(78);
    expect(error.message).toContain(`the configuration ${named} is not read: `);
    return error;
  };

  test.each([
    [0o664, "its group"],
    [0o646, "everybody"],
    [0o666, "everybody"],
  ])("with mode %o others could have", async (mode, who) => {
    const file = put("mine.json", '{"concurrency": 2}');
    chmodSync(file, mode);
    const error = await refusedFor(file);
    expect(error.message).toContain(`${who} may write ${file}`);
    expect(error.hint).toBe(`chmod go-w ${file}`);
  });

  test("in a folder that others may write, anybody could have put it there", async () => {
    const file = put("open/deep/mine.json", '{"concurrency": 2}');
    chmodSync(join(folder, "open"), 0o777);
    const error = await refusedFor(file);
    expect(error.hint).toBe(`chmod go-w ${join(folder, "open")}`);
    // In a sticky folder, nobody can replace another user's file.
    chmodSync(join(folder, "open"), 0o1777);
    expect((await loadConfig(file, state)).get("concurrency")).toBe(2);
  });

  test("a link is as good as every folder on its way", async () => {
    const target = put("open/mine.json", '{"concurrency": 2}');
    const link = join(folder, "link.json");
    symlinkSync("./home/../open/mine.json", link);
    expect((await loadConfig(link, state)).get("concurrency")).toBe(2);
    chmodSync(target, 0o666);
    expect((await refusedFor(target, link)).message).toContain(target);
    chmodSync(target, 0o600);
    chmodSync(join(folder, "open"), 0o777);
    await refusedFor(target, link);
  });

  test("the user's own and the state's are looked at alike", async () => {
    for (const path of [
      "home/.config/ubuntu-ci/config.yml",
      "state/config.json",
    ]) {
      const file = put(path, '{"concurrency": 2}');
      chmodSync(file, 0o666);
      expect((await refusal(loadConfig(undefined, state))).message).toContain(
        `everybody may write ${file}`,
      );
    }
  });

  test("a folder, a pipe or a device is no file", async () => {
    const folderNamed = join(folder, "folder.json");
    mkdirSync(folderNamed, { mode: 0o755 });
    await refusedFor(folderNamed);
    const pipe = join(folder, "pipe.json");
    execFileSync("mkfifo", ["--mode=600", pipe]);
    await refusedFor(pipe);
    expect((await refusal(loadConfig("/dev/null", state))).exitCode).toBe(78);
  });

  test("more than a person writes is not read", async () => {
    await refusedFor(put("large.json", `"${"x".repeat(1024 * 1024)}"`));
  });
});

describe("what decides whom to trust", () => {
  const trusted = (settings as readonly Setting[])
    .filter(({ trust }) => trust === true)
    .map(({ key }) => key);
  const value = (key: string): unknown => {
    const setting = (settings as readonly Setting[]).find(
      (candidate) => candidate.key === key,
    );
    if (setting?.kind.type === "list") return ["main"];
    if (setting?.kind.type === "integer") return setting.kind.max;
    const choices =
      setting?.kind.type === "string" ? setting.kind.choices : undefined;
    return choices?.[0] ?? "text";
  };

  test("is where packages come from, who uploads, what builds and tests, and where it all goes", () => {
    expect(trusted).toEqual(
      expect.arrayContaining([
        "mirror",
        "mirrorKeyring",
        "admission.signatures",
        "builder",
        "tester",
        "report.rsyncTarget",
        "archive.origin",
      ]),
    );
    expect(trusted).not.toContain("concurrency");
  });

  test.each(trusted.map((key) => [key]))(
    "%s does not count from the user's own folder",
    async (key) => {
      const text = JSON.stringify({ [key]: value(key), concurrency: 2 });
      const file = put("home/.config/ubuntu-ci/config.json", text);
      const error = await refusal(loadConfig(undefined, state));
      expect(error.exitCode).toBe(78);
      expect(error.problems).toEqual([
        {
          where: file,
          field: key,
          message: expect.stringContaining(
            "counts only in STATE/config.*, in /etc/ubuntu-ci/config.*, or in a file named with --config",
          ) as string,
        },
      ]);
      const own = put("state/config.json", text);
      expect((await loadConfig(undefined, state)).get(key as "mirror")).toEqual(
        value(key),
      );
      expect((await loadConfig(own, state)).origin(key as "mirror")).toBe(own);
    },
  );
});

describe("what a configuration may say", () => {
  test("keys nested or with dots are the same", () => {
    expect(configOf({ ppa: { pool: 7 } }, null).get("ppa.pool")).toBe(7);
    expect(configOf({ "ppa.pool": 7 }, null).get("ppa.pool")).toBe(7);
  });

  test("every problem is told at once, each with its key", async () => {
    const error = await refusal(() =>
      configOf(
        {
          series: "bookworm",
          concurrency: 0,
          mirror: 5,
          admission: { signatures: "never", maxFiles: 1.5 },
          colour: "blue",
          ppa: { pool: "4" },
          components: ["main", 1],
          ...(JSON.parse('{"__proto__": {"polluted": true}}') as object),
        },
        "/etc/ubuntu-ci/config.json",
      ),
    );
    expect(error.exitCode).toBe(78);
    expect(
      error.problems.map(({ where, field, message }) => [
        where,
        field,
        message,
      ]),
    ).toEqual(
      [
        ["series", "must be a list of strings"],
        ["concurrency", "must be a whole number from 1 to 64"],
        ["mirror", "must be a string"],
        ["admission.signatures", "must be one of required, optional"],
        ["admission.maxFiles", "must be a whole number from 1 to 10000"],
        ["colour", "there is no such setting"],
        ["ppa.pool", "must be a whole number from 1 to 999"],
        ["components", "must be a list of strings"],
        ["__proto__.polluted", "there is no such setting"],
      ].map((row) => ["/etc/ubuntu-ci/config.json", ...row]),
    );
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });

  test.each([["text"], [5], [["series"]], [null]])(
    "%j is no list of settings",
    async (contents) => {
      const error = await refusal(() => configOf(contents, null));
      expect(error.problems).toEqual([
        { where: "configuration", message: "is not a list of settings" },
      ]);
    },
  );
});
