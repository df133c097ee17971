import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

/** State folders that there can never be, as somebody may name them by mistake. */

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "uci-no-state-"));
  writeFileSync(join(folder, "FILE"), "");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a command; one that never ends is killed, and has no exit code. */
function run(stateDir: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(
    resolve(import.meta.dirname, "../bin/ubuntu-ci"),
    ["--state-dir", stateDir, ...args],
    {
      encoding: "utf8",
      timeout: 20_000,
      killSignal: "SIGKILL",
      env: { ...process.env, HOME: folder, NO_COLOR: "1" },
    },
  );
  return { code: status, said: `${stdout}${stderr}` };
}

const commands = ["status", "init", "log", "shepherd-report", "land", "expire"];

test.each([...commands, "fsck", "locks"])(
  "%s says that a state folder below a file cannot be",
  (command) => {
    const { code, said } = run(join(folder, "FILE/state"), command);
    expect({ code, said }).toEqual({
      code: 78,
      said: expect.stringContaining(
        `FILE/state cannot be a state folder: ${join(folder, "FILE")} is not a folder\n  name another folder, on a local disk: --state-dir`,
      ) as string,
    });
  },
);

test.each(["init", "doctor"])(
  "%s says that no folder can be made in /proc, and does not try for ever",
  (command) => {
    const { code, said } = run("/proc/nothing", command);
    expect(code).toBe(78);
    expect(said).toMatch(
      /the folder \/proc\/nothing\S* cannot be made, there no folders can be made/,
    );
  },
);

test.each(commands.filter((command) => command !== "init"))(
  "%s makes no state where there is none, and says how to make one",
  (command) => {
    for (const place of ["/proc/nothing", join(folder, "nothing")]) {
      expect(run(place, command)).toEqual({
        code: 78,
        said: `ubuntu-ci: there is no state in ${place}\n  name its folder with --state-dir, or make one: \`ubuntu-ci init --state-dir ${place}\`\n`,
      });
      expect(existsSync(place)).toBe(false);
    }
  },
);

test("check finds nothing out, which for monitoring is UNKNOWN", () => {
  expect(run(join(folder, "FILE/state"), "check")).toEqual({
    code: 3,
    said: expect.stringMatching(
      /^UBUNTU-CI UNKNOWN - \S+ cannot be a state folder: /,
    ) as string,
  });
  expect(run("/proc/nothing", "check").code).toBe(3);
});
