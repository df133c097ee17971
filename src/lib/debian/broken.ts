import { listOf } from "./blanks.ts";
import { isWithin, relationGroups, relationsOf } from "./relation.ts";

/** A package, and the packages that it cannot do without: to be installed, or for a source to be built. */
export interface NeedingPackage {
  readonly kind: "source" | "binary";
  readonly name: string;
  readonly version: string;
  /** Its Pre-Depends and Depends, or its Build-Depends fields, joined by commas. */
  readonly needs: string;
  readonly provides: string;
  /** Its Conflicts and Breaks of a binary package, joined by commas. */
  readonly conflicts: string;
}

/** What may be there for a package that needs it. */
type Offered = Pick<NeedingPackage, "name" | "version" | "provides"> &
  Partial<Pick<NeedingPackage, "conflicts">>;
type Alternatives = ReturnType<typeof relationsOf>;

/** Every name that these packages need, in whatever version. */
export function namesNeeded(
  packages: readonly NeedingPackage[],
  architecture: string,
): Set<string> {
  return new Set(
    packages.flatMap(({ needs }) =>
      relationsOf(needs, architecture).map(({ name }) => name),
    ),
  );
}

/**
 * The packages that could be installed or built with what was there, and cannot with what is coming.
 * What is looked at is whether something is there that satisfies each relation, can itself be had, and does
 * not conflict with the package or with all that satisfies another of its relations.
 *
 * @param theirs what is there beside both, the distribution's
 */
export function brokenBetween(
  before: readonly NeedingPackage[],
  after: readonly NeedingPackage[],
  theirs: readonly Offered[],
  architecture: string,
): NeedingPackage[] {
  const still = new Set(usable(after, theirs, architecture).map(keyOf));
  const lost = after.filter((one) => !still.has(keyOf(one)));
  if (lost.length === 0) return [];
  const good = new Set(usable(before, theirs, architecture).map(keyOf));
  return lost.filter((one) => good.has(keyOf(one)));
}

const keyOf = ({ kind, name, version }: NeedingPackage) =>
  `${kind} ${name} ${version}`;

/** The packages of which every need is satisfied by others of them, or by the distribution. */
function usable(
  packages: readonly NeedingPackage[],
  theirs: readonly Offered[],
  architecture: string,
): readonly NeedingPackage[] {
  const needs = new Map(
    packages.map((one) => [one, relationGroups(one.needs, architecture)]),
  );
  const clash = clashing([...packages, ...theirs], architecture);
  for (let left = packages; ;) {
    const satisfying = offering([
      ...left.filter(({ kind }) => kind === "binary"),
      ...theirs,
    ]);
    const next = left.filter((one) => {
      const found = (needs.get(one) ?? []).map((alternatives) =>
        alternatives
          .flatMap(satisfying)
          .filter((offered) => one.kind === "source" || !clash(one, offered)),
      );
      return found.every((some, index) =>
        some.some((offered) =>
          found
            .slice(0, index)
            .every((others) => others.some((other) => !clash(offered, other))),
        ),
      );
    });
    if (next.length === left.length) return left;
    left = next;
  }
}

/** Whether two packages conflict: one says so of the other, or of what that provides. */
function clashing(
  packages: readonly Offered[],
  architecture: string,
): (one: Offered, other: Offered) => boolean {
  const conflicts = new Map<Offered, Alternatives>();
  for (const one of packages)
    if (one.conflicts !== undefined && one.conflicts !== "")
      conflicts.set(one, relationsOf(one.conflicts, architecture));
  const says = (one: Offered, other: Offered) =>
    conflicts
      .get(one)
      ?.some((relation) =>
        offersOf(other).some((offer) => satisfies(offer, relation)),
      ) === true;
  // What a package conflicts with and provides itself is meant for others.
  return (one, other) =>
    one.name !== other.name && (says(one, other) || says(other, one));
}

/** The names that a package is there under; null: provided without a version, which satisfies no bound. */
function offersOf({
  name,
  version,
  provides,
}: Offered): { readonly name: string; readonly version: string | null }[] {
  if (provides === "") return [{ name, version }];
  const provided = provides.split(",").flatMap((part) => {
    const [word, , provisional] = listOf(part.replaceAll(/[()]/g, " "));
    return word === undefined
      ? []
      : [{ name: word, version: provisional ?? null }];
  });
  return [{ name, version }, ...provided];
}

function satisfies(
  offer: { readonly name: string; readonly version: string | null },
  { name, bound }: Alternatives[number],
): boolean {
  if (offer.name !== name) return false;
  return offer.version === null
    ? bound === null
    : isWithin(offer.version, bound);
}

function offering(
  packages: readonly Offered[],
): (wanted: Alternatives[number]) => Offered[] {
  const byName = new Map<
    string,
    { readonly from: Offered; readonly version: string | null }[]
  >();
  for (const from of packages)
    for (const { name, version } of offersOf(from)) {
      const alike = byName.get(name) ?? [];
      byName.set(name, alike);
      alike.push({ from, version });
    }
  return (wanted) =>
    (byName.get(wanted.name) ?? []).flatMap(({ from, version }) =>
      satisfies({ name: wanted.name, version }, wanted) ? [from] : [],
    );
}
