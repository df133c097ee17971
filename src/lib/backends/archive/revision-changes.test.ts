import { expect, test } from "vitest";

import { changeInWords, changesSince } from "./revision-changes.ts";

const holding = (versions: Readonly<Record<string, string>>) => ({
  bookworm: Object.entries(versions).flatMap(([name, version]) =>
    (["source", "binary"] as const).map((kind) => ({
      ...{ kind, name, version, source: name },
      architecture: kind === "source" ? "source" : "all",
    })),
  ),
});

test("tells what a revision added, changed and removed", () => {
  const changes = changesSince(
    holding({ kept: "1", raised: "1", gone: "1" }),
    holding({ kept: "1", raised: "2", added: "1" }),
  );
  expect(changes.map(changeInWords)).toEqual([
    "+added 1",
    "-gone 1",
    "raised 2 (was 1)",
  ]);
  expect(changes[0]).toEqual({
    ...{ series: "bookworm", source: "added", from: null, to: "1" },
  });
});

test("the first revision is all new", () => {
  expect(changesSince({}, holding({ a: "1" })).map(changeInWords)).toEqual([
    "+a 1",
  ]);
});
