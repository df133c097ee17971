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
  ["kill", { kind: "kill", at: null }],
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
  "kill@",
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

test("slow work ends when it is told to", async () => {
  const ending = new AbortController();
  const slow = playKnob(knobFor("slow@60000", "a"), {
    ...work,
    signal: ending.signal,
  });
  ending.abort(new Error("cancelled"));
  await expect(slow).rejects.toThrow("cancelled");
});
