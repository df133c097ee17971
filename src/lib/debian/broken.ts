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
}

/** What may be there for a package that needs it. */
type Offered = Pick<NeedingPackage, "name" | "version" | "provides">;
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
 * What conflicts with what is not looked at: only whether something is there that satisfies each relation,
 * and can itself be had.
 *
 * @param theirs what is there beside both, the distribution's
 */
export function brokenBetween(
  before: readonly NeedingPackage[],
  after: readonly NeedingPackage[],
  theirs: readonly Offered[],
  architecture: string,
): NeedingPackage[] {
  const good = new Set(usable(before, theirs, architecture).map(keyOf));
  const still = new Set(usable(after, theirs, architecture).map(keyOf));
  return after.filter((one) => good.has(keyOf(one)) && !still.has(keyOf(one)));
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
  for (let left = packages; ;) {
    const has = offering([
      ...left.filter(({ kind }) => kind === "binary"),
      ...theirs,
    ]);
    const next = left.filter((one) =>
      (needs.get(one) ?? []).every((alternatives) => alternatives.some(has)),
    );
    if (next.length === left.length) return left;
    left = next;
  }
}

function offering(
  packages: readonly Offered[],
): (wanted: Alternatives[number]) => boolean {
  // Versions by name; null: provided without one, which satisfies no relation that names a version.
  const versions = new Map<string, (string | null)[]>();
  const add = (name: string, version: string | null) => {
    const alike = versions.get(name) ?? [];
    versions.set(name, alike);
    alike.push(version);
  };
  for (const { name, version, provides } of packages) {
    add(name, version);
    for (const part of provides.split(",")) {
      const [provided, , provisional] = listOf(part.replaceAll(/[()]/g, " "));
      if (provided !== undefined) add(provided, provisional ?? null);
    }
  }
  return ({ name, bound }) =>
    (versions.get(name) ?? []).some((version) =>
      version === null ? bound === null : isWithin(version, bound),
    );
}
