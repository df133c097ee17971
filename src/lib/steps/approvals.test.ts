import { expect, test } from "vitest";

import { takenOver } from "./approvals.ts";

const coming = (source: string, ...builds: string[]) => ({
  ...{ source, version: "1", builds },
});
const binary = (name: string, source: string) => ({
  ...{ kind: "binary" as const, name, source },
});
const names = (...given: Parameters<typeof takenOver>) =>
  takenOver(...given).map(({ name }) => name);

test("what another source of the archive or the distribution builds is taken over", () => {
  expect(names([coming("a", "a", "tool")], [binary("tool", "b")], [])).toEqual([
    "tool",
  ]);
  expect(names([coming("a", "a", "tool")], [], [binary("tool", "b")])).toEqual([
    "tool",
  ]);
});

test("what is its own, or nobody's, is not", () => {
  expect(names([coming("a", "a", "new")], [binary("a", "a")], [])).toEqual([]);
  expect(
    names([coming("a", "tool")], [binary("tool", "a")], [binary("tool", "b")]),
  ).toEqual([]);
});

test("nor what its owner gives up in the same ticket", () => {
  const published = [binary("tool", "b")];
  expect(
    names([coming("a", "tool"), coming("b", "other")], published, []),
  ).toEqual([]);
  expect(
    names([coming("a", "tool"), coming("b", "tool")], published, []),
  ).toEqual(["tool"]);
});
