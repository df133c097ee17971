import { refused } from "../error.ts";
import { relationsOf } from "./relation.ts";

/** What the order is made from. */
export interface Buildable {
  readonly source: string;
  readonly binaries: readonly string[];
  readonly buildDepends: string;
}

/**
 * Source packages in the order they need each other: waves, of which each can be built side by side
 * once those before are published. Build-Depends on another's Binary decides.
 *
 * @throws UbuntuCiError (2) naming the packages that need each other in a circle
 */
export function buildOrder(
  packages: readonly Buildable[],
  architecture = "amd64",
): string[][] {
  const builtBy = new Map(
    packages.flatMap(({ source, binaries }) =>
      binaries.map((binary) => [binary, source] as const),
    ),
  );
  const needs = new Map(
    packages.map(({ source, buildDepends }) => {
      const sources = relationsOf(buildDepends, architecture).flatMap(
        ({ name }) => builtBy.get(name) ?? [],
      );
      return [
        source,
        new Set(sources.filter((name) => name !== source)),
      ] as const;
    }),
  );
  const waves: string[][] = [];
  const done = new Set<string>();
  while (done.size < needs.size) {
    const wave = [...needs]
      .filter(
        ([name, needed]) =>
          !done.has(name) && [...needed].every((other) => done.has(other)),
      )
      .map(([name]) => name);
    if (wave.length === 0) {
      const circle = [...needs.keys()].filter((name) => !done.has(name)).sort();
      throw refused(
        `${circle.join(", ")} build-depend on each other in a circle`,
        "break the circle, or land them in two tickets",
      );
    }
    waves.push(wave.sort());
    for (const name of wave) done.add(name);
  }
  return waves;
}
