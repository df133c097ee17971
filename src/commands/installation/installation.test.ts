import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { GpgHome } from "../../../test/support/gpg-home.ts";
import { InProcess, saying } from "../../../test/support/in-process.ts";

let ci: InProcess;
let gpg: GpgHome;

beforeAll(async () => {
  ci = await InProcess.init({ admission: { signatures: "required" } });
  gpg = new GpgHome(join(ci.root, "gpg"));
});
afterAll(() => {
  gpg.stop();
  ci.remove();
});

test("init is safe to run again, and says what it would do", async () => {
  expect(await ci.ok("init", "--dry-run")).toMatch(
    /^make the state folder .*\nput ci_pool-001, ci_pool-002 in the pool/,
  );
  expect(await ci.ok("init")).toBe("");
  expect(
    await ci.ok("refresh-bases", "--series", "bookworm", "--dry-run"),
  ).toBe("make a new base of bookworm");
});

describe("uploaders", () => {
  test("a key is added, limited, used, and removed", async () => {
    expect(await ci.ok("uploaders")).toBe("no uploaders");
    const fingerprint = gpg.makeKey("Dev <dev@example.com>");
    const key = join(ci.root, "dev.asc");
    writeFileSync(key, gpg.armouredKey(fingerprint));
    expect(await ci.ok("uploaders", "add", key, "--dry-run")).toBe(
      `accept ${fingerprint}  Dev <dev@example.com>`,
    );
    expect(await ci.ok("uploaders", "list")).toBe("no uploaders");
    expect(await ci.ok("uploaders", "add", key)).toBe(
      `${fingerprint}  Dev <dev@example.com>`,
    );
    const limits = ["--packages", "hello", "lib*"];
    expect(
      await ci.ok("uploaders", "add", key, ...limits, "--dry-run"),
    ).toMatch(/, for hello, lib\* instead of /);
    await ci.ok("uploaders", "add", key, ...limits);
    expect(await ci.ok("uploaders", "list")).toBe(
      `${fingerprint}  Dev <dev@example.com>  only hello, lib*`,
    );
    expect(await ci.ok("uploaders", "add", key, "--dry-run")).toContain(
      "for hello, lib* as before",
    );
    const signed = (name: string) => {
      const changes = ci.upload(name);
      writeFileSync(changes, gpg.clearSign(readFileSync(changes, "utf8")));
      return changes;
    };
    const other = await ci.run("create_ticket", "-t", "t", "-s", signed("vim"));
    expect(other.code).toBe(2);
    expect(other.stderr).toMatch(/vim/);
    const mine = ["-t", "t", "-s", signed("hello")];
    expect(await ci.ok("create_ticket", ...mine)).toBe("1");
    expect(
      (await ci.json("uploaders", "remove", fingerprint)).document,
    ).toMatchObject({ removed: fingerprint });
    expect(await ci.ok("uploaders")).toBe("no uploaders");
    expect(await ci.ok("log")).toMatch(
      new RegExp(`uploader ${fingerprint} +removed`),
    );
  });

  test("what is no key is refused", async () => {
    const file = join(ci.root, "none.asc");
    writeFileSync(file, "nothing");
    for (const args of [
      ["add", file],
      ["add", join(ci.root, "gone.asc")],
      ["remove", "0".repeat(40)],
      ["remove", "tea"],
    ])
      expect((await ci.run("uploaders", ...args)).code).toBe(2);
  });
});

describe("config", () => {
  test("tells each setting, its value and where that is from", async () => {
    expect(await ci.ok("config", "ppa.pool")).toMatch(
      /^ppa\.pool = 2 {2}\(.*config\.json\)\n {4}\S/,
    );
    expect((await ci.json("config", "retry.limit")).document).toMatchObject({
      key: "retry.limit",
      value: 3,
      trust: false,
    });
    expect((await ci.ok("config")).split("\n").length).toBeGreaterThan(40);
    expect(await ci.run("config", "tea")).toMatchObject({
      code: 2,
      stderr: saying('there is no setting "tea"'),
    });
  });

  test("--sample prints a file without what is for tests", async () => {
    const sample = await ci.ok("config", "--sample");
    expect(sample).toContain("#ppa.pool: 4");
    expect(sample).not.toContain("fake");
  });
});

test.each(["bash", "zsh", "fish"])(
  "completion for %s knows every command",
  async (shell) => {
    const script = await ci.ok("completion", shell);
    for (const name of ["create_ticket", "land", "restore", "--ignore-test"])
      expect(script).toContain(name.replace(/^--/, ""));
  },
);
