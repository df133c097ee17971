import { expect, test } from "vitest";

import type { PublishedPackage } from "./index-files.ts";
import { withoutLanding } from "./without-landing.ts";

/** Packages from words such as "hello=1:hello,hello-doc": a source, its version, and its binaries. */
function holding(...sources: readonly string[]): PublishedPackage[] {
  return sources.flatMap((words) => {
    const [of = "", binaries = ""] = words.split(":");
    const [source = "", version = ""] = of.split("=");
    const one = (kind: "source" | "binary", name: string) => ({
      kind,
      name,
      version,
      architecture: kind === "source" ? "source" : "amd64",
      source,
      files: [],
    });
    return [
      one("source", source),
      ...binaries
        .split(",")
        .filter(Boolean)
        .map((name) => one("binary", name)),
    ];
  });
}

const told = (packages: readonly PublishedPackage[]) =>
  packages
    .map(({ kind, name, version }) => `${kind} ${name} ${version}`)
    .sort();

test("its packages become what they were before, later ones stay", () => {
  const { packages, takenOut, changedSince } = withoutLanding(
    holding("a=1:a", "c=1:c"),
    holding("a=2:a,a-doc", "b=1:b", "c=1:c"),
    holding("a=2:a,a-doc", "b=1:b", "c=2:c", "d=1:d"),
  );
  expect(told(packages)).toEqual(told(holding("a=1:a", "c=2:c", "d=1:d")));
  expect(takenOut).toEqual(["a", "b"]);
  expect(changedSince).toEqual([]);
});

test("what landed on top of it stays as it is", () => {
  const { packages, takenOut, changedSince } = withoutLanding(
    holding("a=1:a"),
    holding("a=2:a", "b=1:b"),
    holding("a=3:a", "b=1:b"),
  );
  expect(told(packages)).toEqual(told(holding("a=3:a")));
  expect(takenOut).toEqual(["b"]);
  expect(changedSince).toEqual(["a"]);
});

test("a binary that it took over goes back to its source, if that is as it was", () => {
  const before = holding("old=1:tool,old");
  const landed = holding("old=1:old", "new=1:tool");
  expect(told(withoutLanding(before, landed, landed).packages)).toEqual(
    told(before),
  );
  const later = holding("old=2:old", "new=1:tool");
  expect(told(withoutLanding(before, landed, later).packages)).toEqual(
    told(holding("old=2:old")),
  );
});

test("what a landing took out comes back when that landing is undone", () => {
  const before = holding("a=1:a", "b=1:b");
  const landed = holding("b=1:b");
  expect(told(withoutLanding(before, landed, landed).packages)).toEqual(
    told(before),
  );
});
