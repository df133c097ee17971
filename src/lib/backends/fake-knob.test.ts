import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, test } from "vitest";

import { knobFor, playKnob } from "./fake-knob.ts";

const work = {
  signal: new AbortController().signal,
  progress: () => undefined,
};

test.each([
  ["pass", { kind: "pass" }],
  ["fail", { kind: "fail" }],
  ["hello=tmpfail", { kind: "tmpfail" }],
  ["other=fail", { kind: "pass" }],
  ["hello=slow@5,fail", { kind: "slow", milliseconds: 5 }],
  ["slow, other=fail", { kind: "slow", milliseconds: 2000 }],
  ["verbose@9", { kind: "verbose", bytes: 9 }],
  ["kill", { kind: "kill", at: null }],
  ["hello=hold@/tmp/held", { kind: "hold", file: "/tmp/held" }],
  ["hello=kill@swing", { kind: "kill", at: "swing" }],
])("%s for hello", (text, knob) => {
  expect(knobFor(text, "hello")).toEqual(knob);
});

test.each([
  "",
  "maybe",
  "a=b=c",
  "hello=",
  "slow@x",
  "verbose",
  "kill@",
  "hold",
  "hold@held",
  "pass@1",
  "x=no",
  "remote@soon",
])("refuses %j", (text) => {
  expect(() => knobFor(text, "hello")).toThrow("is not a knob");
});

test("plays pass, fail, tmpfail and slow", async () => {
  expect(await playKnob(knobFor("pass", "a"), work)).toBe("passed");
  expect(await playKnob(knobFor("fail", "a"), work)).toBe("failed");
  expect(await playKnob(knobFor("tmpfail", "a"), work)).toBe("tmpfail");
  expect(await playKnob(knobFor("slow@1", "a"), work)).toBe("passed");
});

test("held work passes once the file is not there", async () => {
  const folder = mkdtempSync(join(tmpdir(), "held-"));
  const file = join(folder, "held");
  writeFileSync(file, "");
  const held = playKnob(knobFor(`hold@${file}`, "a"), work);
  rmSync(file);
  expect(await held).toBe("passed");
  expect(await playKnob(knobFor(`hold@${file}`, "a"), work)).toBe("passed");
  rmSync(folder, { recursive: true });
});

test.each(["slow@60000", "hold@/etc/passwd"])(
  "%s ends when it is told to",
  async (text) => {
    const ending = new AbortController();
    const slow = playKnob(knobFor(text, "a"), {
      ...work,
      signal: ending.signal,
    });
    ending.abort(new Error("cancelled"));
    await expect(slow).rejects.toThrow("cancelled");
  },
);
