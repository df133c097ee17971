import { listOf } from "./blanks.ts";
import { relationsOf } from "./relation.ts";
import { compareVersions } from "./version.ts";

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
    packages.map((one) => [one, alternativesOf(one.needs, architecture)]),
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

/** The alternatives of each relation that counts on this architecture. */
function alternativesOf(field: string, architecture: string): Alternatives[] {
  return field
    .split(",")
    .map((relation) => relationsOf(relation, architecture))
    .filter((alternatives) => alternatives.length > 0);
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
  return ({ name, version: restriction }) =>
    (versions.get(name) ?? []).some((version) => {
      if (restriction === null) return true;
      return version !== null && satisfies(version, restriction);
    });
}

/** Whether a version is one of `>= 1.2` (deb-control(5)). */
function satisfies(version: string, restriction: string): boolean {
  const [operator = "=", bound = ""] = restriction.split(" ");
  const order = compareVersions(version, bound);
  switch (operator) {
    case "<<":
      return order < 0;
    case "<=":
      return order <= 0;
    case ">=":
      return order >= 0;
    case ">>":
      return order > 0;
    default:
      return order === 0;
  }
}
