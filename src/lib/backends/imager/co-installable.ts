import { isWithin, relationsOf } from "../../debian/relation.ts";
import type { PublishedBinary } from "../published.ts";

/** The parts of a binary package that decide what it can be installed together with. */
type Candidate = Pick<
  PublishedBinary,
  "package" | "version" | "provides" | "conflicts" | "depends"
>;

/** A package that is left out of an image, and the installed one that it conflicts with. */
export interface LeftOut {
  readonly package: string;
  readonly because: string;
}

/** Above this many packages that conflict with each other, a good choice is taken for the largest. */
const mostExact = 20;

/**
 * Chooses which of a ticket's packages an image has, where some conflict with others: a largest set of
 * packages that can be installed together; of several such sets the one that has the alphabetically first
 * package in which they differ. Conflicts with packages of others are for apt to find.
 *
 * @param names packages to choose from
 */
export function coInstallable(
  names: readonly string[],
  binaries: readonly Candidate[],
  architecture: string,
): { readonly add: readonly string[]; readonly leftOut: readonly LeftOut[] } {
  const sorted = [...new Set(names)].sort();
  const known = new Map(binaries.map((one) => [one.package, one]));
  const conflicts = conflictsAmong(sorted, known, architecture);
  const chosen = new Set<string>();
  for (const group of connected(sorted, conflicts))
    for (const name of largest(group, conflicts)) chosen.add(name);
  return {
    add: sorted.filter((name) => chosen.has(name)),
    leftOut: sorted.flatMap((name) => {
      if (chosen.has(name)) return [];
      const others = [...(conflicts.get(name) ?? [])].sort();
      const because = others.find((other) => chosen.has(other)) ?? name;
      return [{ package: name, because }];
    }),
  };
}

/** The names that each name conflicts with, itself or by what it needs of the others. */
function conflictsAmong(
  names: readonly string[],
  known: ReadonlyMap<string, Candidate>,
  architecture: string,
): ReadonlyMap<string, ReadonlySet<string>> {
  const needs = new Map(
    names.map((name) => [name, needed(name, names, known, architecture)]),
  );
  const direct = (one: string, other: string) =>
    one !== other &&
    (excludes(known.get(one), known.get(other), architecture) ||
      excludes(known.get(other), known.get(one), architecture));
  const pairs = new Map<string, boolean>();
  const conflict = (one: string, other: string): boolean => {
    const key = one < other ? `${one} ${other}` : `${other} ${one}`;
    const found = pairs.get(key) ?? direct(one, other);
    pairs.set(key, found);
    return found;
  };
  const found = new Map(names.map((name) => [name, new Set<string>()]));
  for (const one of names)
    for (const other of names)
      if (
        (needs.get(one) ?? []).some((mine) =>
          (needs.get(other) ?? []).some((theirs) => conflict(mine, theirs)),
        )
      )
        found.get(one)?.add(other);
  return found;
}

/** A package with those of the names that it cannot be installed without. */
function needed(
  name: string,
  names: readonly string[],
  known: ReadonlyMap<string, Candidate>,
  architecture: string,
): readonly string[] {
  const found = new Set([name]);
  // A set that grows while it is walked through is walked through to its end.
  for (const one of found)
    for (const group of (known.get(one)?.depends ?? "").split(",")) {
      const [only, ...others] = relationsOf(group, architecture);
      if (
        only !== undefined &&
        others.length === 0 &&
        names.includes(only.name)
      )
        found.add(only.name);
    }
  return [...found];
}

/** Whether a package's Conflicts or Breaks exclude another. */
function excludes(
  one: Candidate | undefined,
  other: Candidate | undefined,
  architecture: string,
): boolean {
  if (one === undefined || other === undefined) return false;
  return relationsOf(one.conflicts, architecture).some(
    ({ name, bound }) =>
      (name === other.package && isWithin(other.version, bound)) ||
      relationsOf(other.provides, architecture).some(
        (provided) =>
          provided.name === name &&
          (bound === null ||
            (provided.bound !== null &&
              isWithin(provided.bound.version, bound))),
      ),
  );
}

/** The groups of names that conflicts connect, each sorted. */
function connected(
  names: readonly string[],
  conflicts: ReadonlyMap<string, ReadonlySet<string>>,
): readonly (readonly string[])[] {
  const seen = new Set<string>();
  const groups: string[][] = [];
  for (const name of names) {
    if (seen.has(name)) continue;
    const group = new Set([name]);
    for (const one of group)
      for (const other of conflicts.get(one) ?? []) group.add(other);
    for (const one of group) seen.add(one);
    groups.push([...group].sort());
  }
  return groups;
}

/** A largest set of a sorted group in which nothing conflicts; the alphabetically first of several. */
function largest(
  group: readonly string[],
  conflicts: ReadonlyMap<string, ReadonlySet<string>>,
): readonly string[] {
  const of = (name: string) => conflicts.get(name) ?? new Set<string>();
  const possible = group.filter((name) => !of(name).has(name));
  if (possible.length > mostExact) {
    const taken: string[] = [];
    const byFewest = possible.toSorted((a, b) => of(a).size - of(b).size);
    for (const name of byFewest)
      if (!taken.some((other) => of(name).has(other))) taken.push(name);
    return taken;
  }
  const search = (left: readonly string[]): readonly string[] => {
    const [first, ...rest] = left;
    if (first === undefined) return [];
    const others = rest.filter((name) => !of(first).has(name));
    const withFirst = [first, ...search(others)];
    if (others.length === rest.length) return withFirst;
    const without = search(rest);
    return without.length > withFirst.length ? without : withFirst;
  };
  return search(possible);
}
