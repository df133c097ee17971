import { expect, test } from "vitest";

import { configOf } from "../config/config.ts";
import { settings } from "../config/settings.ts";
import { chosenKinds, needsBases, settingsForPeople } from "./kinds.ts";

const fakes = {
  builder: "fake",
  imager: "fake",
  tester: "fake",
  archiveKeeper: "fake",
};

test("a kind says what it needs, and only fakes need nothing", () => {
  const tools = (contents: object) =>
    chosenKinds(configOf(contents, null)).flatMap((kind) => kind.tools);
  expect(tools({})).toEqual(
    expect.arrayContaining(["mmdebstrap", "pasta", "autopkgtest", "aptly"]),
  );
  expect(tools({})).not.toContain("sbuild");
  expect(tools({ builder: "sbuild" })).toContain("sbuild");
  expect(tools(fakes)).toEqual([]);
});

test.each([
  [{}, true],
  [{ ...fakes, builder: "session" }, true],
  [{ ...fakes, tester: "autopkgtest" }, false],
  [fakes, false],
])("%j needs bases: %s", (contents, needed) => {
  expect(needsBases(configOf(contents, null))).toBe(needed);
});

test("people are not shown what is for tests", () => {
  const shown = settingsForPeople(settings);
  expect(JSON.stringify(shown)).not.toContain("fake");
  const left = settings.filter(({ key }) => !key.startsWith("fake."));
  expect(shown.map(({ key }) => key)).toEqual(left.map(({ key }) => key));
  expect(shown.find(({ key }) => key === "builder")?.kind).toEqual({
    type: "string",
    choices: ["session", "sbuild"],
  });
});
