/** One package of a relation field, with what restricts it (deb-src-control(5)). */
export interface Relation {
  readonly name: string;
  /** `>=` and such, with the version; null without. */
  readonly version: string | null;
}

const pattern =
  /^([a-z0-9][a-z0-9+.-]*)(?::[a-z0-9-]+)?\s*(?:\(\s*(<<|<=|=|>=|>>)\s*([^)\s]+)\s*\))?\s*(?:\[([^\]]*)\])?\s*((?:<[^>]*>\s*)*)$/;

/**
 * The packages a Build-Depends field names, each alternative of each relation, those for other
 * architectures or for build profiles that are not active left out. What it cannot read it leaves
 * out too: this only orders builds, apt decides what is installed.
 */
export function relationsOf(field: string, architecture: string): Relation[] {
  return field.split(/[,|]/).flatMap((text) => {
    const found = pattern.exec(text.trim().replaceAll(/\s+/g, " "));
    if (found === null) return [];
    const [, name = "", operator, version, architectures, profiles = ""] =
      found;
    if (architectures !== undefined && !matches(architectures, architecture))
      return [];
    // No build profile is active, so a formula holds only where every term is negated.
    const formulas = profiles.match(/<[^>]*>/g) ?? [];
    const active =
      formulas.length === 0 ||
      formulas.some((formula) => !/[<\s](?!!)[a-z]/.test(formula));
    if (!active) return [];
    return [
      {
        name,
        version: operator === undefined ? null : `${operator} ${version ?? ""}`,
      },
    ];
  });
}

function matches(list: string, architecture: string): boolean {
  const words = list.split(/\s+/).filter((word) => word !== "");
  const hit = (word: string) =>
    word === architecture ||
    word === "any" ||
    word === "linux-any" ||
    word === `any-${architecture}`;
  const negative = words.filter((word) => word.startsWith("!"));
  if (negative.length > 0) return !negative.some((word) => hit(word.slice(1)));
  return words.some(hit);
}
