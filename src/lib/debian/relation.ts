import { isArchitecture } from "./architecture.ts";
import { compareVersions, versionProblem, withoutEpoch } from "./version.ts";

/** The bound of a relation, `>= 2` for instance. */
interface Bound {
  readonly operator: "<<" | "<=" | "=" | ">=" | ">>";
  readonly version: string;
}

/** One package of a relation field, with what restricts it (deb-src-control(5)). */
export interface Relation {
  readonly name: string;
  readonly bound: Bound | null;
}

const pattern =
  /^([a-z0-9][a-z0-9+.-]*)(?::[a-z0-9-]+)?\s*(?:\(\s*(<<|<=|<|=|>=|>>|>)\s*([^)\s]+)\s*\))?\s*(?:\[([^\]]*)\])?\s*(<.*)?$/;

/** Most relations are only a name. */
const plain = /^[a-z0-9][a-z0-9+.-]*$/;

/** What one alternative of a relation says; null where it does not count, undefined where it is unreadable. */
function readAlternative(
  written: string,
  architecture: string,
): Relation | null | undefined {
  const text = written.trim();
  if (plain.test(text)) return { name: text, bound: null };
  const found = pattern.exec(text.replaceAll(/\s+/g, " "));
  if (found === null) return undefined;
  const [, name = "", operator, version = "", architectures, profiles = ""] =
    found;
  if (architectures !== undefined && !matches(architectures, architecture))
    return null;
  // No build profile is active, so a formula holds only where every term is negated.
  const formulas = formulasOf(profiles);
  if (formulas === undefined) return undefined;
  const active =
    formulas.length === 0 ||
    formulas.some((formula) => !/[<\s](?!!)[a-z]/.test(formula));
  if (!active) return null;
  return {
    name,
    bound: operator === undefined ? null : boundOf(operator, version),
  };
}

/** deb-control(5): the old `<` and `>` include the version itself. */
function boundOf(operator: string, version: string): Bound {
  const old = operator === "<" || operator === ">";
  return {
    operator: (old ? `${operator}=` : operator) as Bound["operator"],
    version,
  };
}

/**
 * The relations of a field, each with its alternatives in their order, without those for other
 * architectures or inactive build profiles. What cannot be read is left out, too: this only orders
 * builds, and apt decides what is installed.
 */
export function relationGroups(
  field: string,
  architecture: string,
): Relation[][] {
  return field
    .split(",")
    .map((group) =>
      group
        .split("|")
        .flatMap((text) => readAlternative(text, architecture) ?? []),
    )
    .filter((group) => group.length > 0);
}

/** The packages that a field names: every alternative of every relation that counts. */
export function relationsOf(field: string, architecture: string): Relation[] {
  return relationGroups(field, architecture).flat();
}

/**
 * The alternatives that a build daemon considers: the first one, and those right behind it that bound
 * the same package otherwise. It is sbuild's rule for apt, and keeps builds from depending on what
 * happens to be installable.
 */
export function consideredOf<R extends Pick<Relation, "name">>(
  group: readonly R[],
): readonly R[] {
  const other = group.findIndex(({ name }) => name !== group[0]?.name);
  return other < 0 ? group : group.slice(0, other);
}

/**
 * A field of build dependencies with the alternatives that are considered, as it is written there. A
 * relation that cannot be read stays whole, for apt to judge.
 */
export function withoutAlternatives(
  field: string,
  architecture: string,
): string {
  return field
    .split(",")
    .map((group) => {
      const written = group.split("|");
      const read = written.map((text) => readAlternative(text, architecture));
      if (written.length === 1 || read.includes(undefined)) return group;
      const counting = written.flatMap((text, index) => {
        const relation = read[index];
        return relation == null ? [] : [{ text, name: relation.name }];
      });
      // Where none counts, apt leaves the relation out by itself.
      return counting.length === 0
        ? group
        : consideredOf(counting)
            .map(({ text }) => text)
            .join("|");
    })
    .join(",");
}

/** Whether a version is within a bound; with null every version is. */
export function isWithin(version: string, bound: Bound | null): boolean {
  if (bound === null) return true;
  if (
    versionProblem(version) !== undefined ||
    versionProblem(bound.version) !== undefined
  )
    return false;
  const order = compareVersions(version, bound.version);
  switch (bound.operator) {
    case "<<":
      return order < 0;
    case "<=":
      return order <= 0;
    case "=":
      return order === 0;
    case ">=":
      return order >= 0;
    case ">>":
      return order > 0;
  }
}

/** The same, where the binary package may have another epoch than its source. */
export function mayBeWithin(version: string, bound: Bound | null): boolean {
  return (
    isWithin(version, bound) ||
    (bound !== null &&
      isWithin(withoutEpoch(version), {
        ...bound,
        version: withoutEpoch(bound.version),
      }))
  );
}

/** The restriction formulas `<…> <…>` of build profiles; undefined for any other text. */
function formulasOf(text: string): string[] | undefined {
  const formulas: string[] = [];
  for (let at = 0; at < text.length;) {
    const end = text.indexOf(">", at);
    if (text[at] !== "<" || end < 0) return undefined;
    formulas.push(text.slice(at, end + 1));
    at = end + 1;
    if (text[at] === " ") at += 1;
  }
  return formulas;
}

function matches(list: string, architecture: string): boolean {
  const words = list.split(/\s+/).filter((word) => word !== "");
  const negative = words.filter((word) => word.startsWith("!"));
  return negative.length > 0
    ? !negative.some((word) => isArchitecture(architecture, word.slice(1)))
    : words.some((word) => isArchitecture(architecture, word));
}
