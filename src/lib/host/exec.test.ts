import { describe, expect, test } from "vitest";

import { lineLimit } from "../domain/output-lines.ts";
import { exec, lastLines, start } from "./exec.ts";

describe("lines of a process as they come", () => {
  test("one without an end is cut, and the last one counts without a newline", async () => {
    const lines: string[] = [];
    const script =
      "head -c 1000000 /dev/zero | tr '\\0' x; printf '\\nsecond\\r\\nlast'";
    await exec(["sh", "-c", script], { onLine: (line) => lines.push(line) });
    expect(lines).toEqual(["x".repeat(lineLimit), "second", "last"]);
  });

  test("of a process that is spoken to only whole lines are taken", async () => {
    const lines: string[] = [];
    const running = start(["sh", "-c", "printf 'pid 12\\npid 1'"], {
      ...{ cwd: "/", env: {} },
      onLine: (line) => lines.push(line),
    });
    running.endInput();
    expect(await running.ended).toContain("exited with 0");
    expect(lines).toEqual(["pid 12"]);
  });
});

test.each([
  ["", ""],
  ["one", "one"],
  ["one\ntwo\n", "one | two"],
  ["one\ntwo\nthree\nfour\n\n", "two | three | four"],
  ["a\n\nb", "a |  | b"],
])("the last lines of %j are %j", (text, lines) => {
  expect(lastLines(text)).toBe(lines);
});

test("the last lines are cut where they are too long", () => {
  expect(lastLines(`a\n${"b".repeat(1_000_000)}`, 1)).toHaveLength(lineLimit);
});
