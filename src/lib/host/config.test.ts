import {
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { UbuntuCiError } from "../domain/error.ts";
import { settings } from "../domain/settings.ts";
import { configOf, loadConfig } from "./config.ts";

const here = process.cwd();
const home = process.env["HOME"];
let folder: string;

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "config-")));
  process.env["HOME"] = join(folder, "home");
  mkdirSync(join(folder, "home/work/deep"), { recursive: true });
  process.chdir(join(folder, "home/work/deep"));
});

afterEach(() => {
  process.chdir(here);
  process.env["HOME"] = home;
  rmSync(folder, { recursive: true, force: true });
});

function put(path: string, text: string): string {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
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
    const config = await loadConfig(undefined);
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

  test("the nearest file on the way up wins, then the user's own folder", async () => {
    const user = put(
      "home/.config/ubuntu-ci/config.json",
      '{"concurrency": 2}',
    );
    expect((await loadConfig(undefined)).file).toBe(user);
    const above = put("home/work/ubuntu-ci.config.json", '{"concurrency": 3}');
    const config = await loadConfig(undefined);
    expect(config.file).toBe(above);
    expect(config.get("concurrency")).toBe(3);
    expect(config.origin("concurrency")).toBe(above);
    expect(config.origin("series")).toBe("default");
    put("home/work/deep/.ubuntu-circ.yaml", "concurrency: 4\n");
    expect((await loadConfig(undefined)).get("concurrency")).toBe(4);
  });

  test("a file that is named is the only one", async () => {
    put("home/work/ubuntu-ci.config.json", '{"concurrency": 3}');
    const named = put("elsewhere/mine.json", '{"series": ["bookworm"]}');
    const config = await loadConfig(named);
    expect(config.get("series")).toEqual(["bookworm"]);
    expect(config.get("concurrency")).toBe(1);
  });

  test("a file that is missing or broken is named", async () => {
    for (const file of [
      join(folder, "missing.json"),
      put("broken.json", '{"series": '),
      put("broken.yaml", "series: [\n"),
    ]) {
      const error = await refusal(loadConfig(file));
      expect(error.exitCode).toBe(78);
      expect(error.message).toContain(file);
    }
  });

  test("an empty file is one without settings", async () => {
    expect((await loadConfig(put("empty.yaml", ""))).get("concurrency")).toBe(
      1,
    );
  });
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
        ["series", "must be a list of texts"],
        ["concurrency", "must be a whole number from 1 to 64"],
        ["mirror", "must be a text"],
        ["admission.signatures", "must be one of required, optional"],
        ["admission.maxFiles", "must be a whole number from 1 to 10000"],
        ["colour", "there is no such setting"],
        ["ppa.pool", "must be a whole number from 1 to 999"],
        ["components", "must be a list of texts"],
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
