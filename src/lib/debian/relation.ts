/** A package in a relation field (deb-src-control(5)). */
interface Relation {
  readonly name: string;
  /** The version restriction, as `>= 1.2`; null when there is none. */
  readonly version: string | null;
}

const pattern =
  /^([a-z0-9][a-z0-9+.-]*)(?::[a-z0-9-]+)?\s*(?:\(\s*(<<|<=|=|>=|>>)\s*([^)\s]+)\s*\))?\s*(?:\[([^\]]*)\])?\s*(<.*)?$/;

/** Most relations are only a name. */
const plain = /^[a-z0-9][a-z0-9+.-]*$/;

/**
 * The packages that a Build-Depends field names: every alternative of every relation, except those for
 * other architectures or inactive build profiles. What cannot be parsed is left out, since this only
 * orders builds; apt decides what is installed.
 */
export function relationsOf(field: string, architecture: string): Relation[] {
  const relations: Relation[] = [];
  for (const part of field.split(/[,|]/)) {
    const text = part.trim();
    if (plain.test(text)) {
      relations.push({ name: text, version: null });
      continue;
    }
    const found = pattern.exec(text.replaceAll(/\s+/g, " "));
    if (found === null) continue;
    const [, name = "", operator, version, architectures, profiles = ""] =
      found;
    if (architectures !== undefined && !matches(architectures, architecture))
      continue;
    // No build profile is active, so a formula holds only where every term is negated.
    const formulas = formulasOf(profiles);
    if (formulas === undefined) continue;
    const active =
      formulas.length === 0 ||
      formulas.some((formula) => !/[<\s](?!!)[a-z]/.test(formula));
    if (!active) continue;
    relations.push({
      name,
      version: operator === undefined ? null : `${operator} ${version ?? ""}`,
    });
  }
  return relations;
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

/** Whether an architecture, or a common wildcard, covers an architecture of Linux. */
export function coversArchitecture(
  word: string,
  architecture: string,
): boolean {
  return ["any", "linux-any", architecture, `any-${architecture}`].includes(
    word,
  );
}

function matches(list: string, architecture: string): boolean {
  const words = list.split(/\s+/).filter((word) => word !== "");
  const hit = (word: string) => coversArchitecture(word, architecture);
  const negative = words.filter((word) => word.startsWith("!"));
  if (negative.length > 0) return !negative.some((word) => hit(word.slice(1)));
  return words.some(hit);
}
