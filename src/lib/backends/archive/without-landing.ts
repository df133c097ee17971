import type { PublishedPackage } from "./index-files.ts";

/** What a series holds once a landing is taken out of it. */
export interface WithoutLanding {
  readonly packages: readonly PublishedPackage[];
  /** The sources that it changed and that are there as it left them: they become what they were before it. */
  readonly takenOut: readonly string[];
  /** The sources that it changed, and that later landings have changed since: they stay. */
  readonly changedSince: readonly string[];
}

/**
 * Takes a landing out of a series and keeps what landed later.
 *
 * @param before what the series held before the landing
 * @param landed what it held after it
 * @param current what it holds now
 */
export function withoutLanding(
  before: readonly PublishedPackage[],
  landed: readonly PublishedPackage[],
  current: readonly PublishedPackage[],
): WithoutLanding {
  const [then, after, now] = [before, landed, current].map(versions) as [
    Versions,
    Versions,
    Versions,
  ];
  const changed = [...new Set([...then.keys(), ...after.keys()])].filter(
    (source) => then.get(source) !== after.get(source),
  );
  const takenOut = new Set(
    changed.filter((source) => now.get(source) === after.get(source)),
  );
  const packages = current.filter(({ source }) => !takenOut.has(source));
  const names = new Set(packages.map(keyOf));
  const stayed = new Set(landed.map(ofSource));
  const comesBack = (one: PublishedPackage) =>
    takenOut.has(one.source) ||
    // A binary package that the landing took over from another source, which is as it was then.
    (!stayed.has(ofSource(one)) &&
      now.has(one.source) &&
      now.get(one.source) === then.get(one.source));
  return {
    packages: [
      ...packages,
      ...before.filter((one) => comesBack(one) && !names.has(keyOf(one))),
    ],
    takenOut: [...takenOut].sort(),
    changedSince: changed.filter((source) => !takenOut.has(source)).sort(),
  };
}

type Versions = ReadonlyMap<string, string>;

function versions(packages: readonly PublishedPackage[]): Versions {
  return new Map(
    packages
      .filter(({ kind }) => kind === "source")
      .map(({ name, version }) => [name, version]),
  );
}

const ofSource = (one: PublishedPackage) => `${keyOf(one)} ${one.source}`;

const keyOf = ({ kind, name, architecture }: PublishedPackage) =>
  `${kind} ${name} ${architecture}`;
