import { refused } from "../domain/error.ts";
import { relationsOf } from "./relation.ts";

/** A source package, with what determines its place in the order. */
interface Buildable {
  readonly source: string;
  readonly binaries: readonly string[];
  readonly buildDepends: string;
}

/**
 * Source packages in build order, as waves: the packages of a wave can be built in parallel once the
 * waves before it are published. A package is built after those whose binary packages it
 * build-depends on.
 *
 * @throws UbuntuCiError (2) that names the packages of a dependency cycle
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
  const neededBy = new Map<string, string[]>();
  for (const [name, needed] of needs)
    for (const other of needed) {
      const dependents = neededBy.get(other) ?? [];
      neededBy.set(other, dependents);
      dependents.push(name);
    }
  const waves: string[][] = [];
  const waiting = new Map([...needs].map(([name, { size }]) => [name, size]));
  let wave = [...needs.keys()].filter((name) => waiting.get(name) === 0);
  while (wave.length > 0) {
    waves.push(wave.sort());
    const next: string[] = [];
    for (const name of wave) {
      waiting.delete(name);
      for (const dependent of neededBy.get(name) ?? []) {
        const left = (waiting.get(dependent) ?? 0) - 1;
        waiting.set(dependent, left);
        if (left === 0) next.push(dependent);
      }
    }
    wave = next;
  }
  if (waiting.size > 0) {
    const circle = [...waiting.keys()].sort();
    throw refused(
      `${circle.join(", ")} build-depend on each other in a circle`,
      "break the circle, or land them in two tickets",
    );
  }
  return waves;
}
