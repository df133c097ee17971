import type { IsThere } from "./build-order.ts";
import { isWithin, relationsOf } from "./relation.ts";

/** What indexes say of a name: its package's versions, and who provides it in which version. */
export interface KnownPackage {
  readonly versions: string[];
  readonly providers: { readonly package: string; readonly version?: string }[];
}

export type KnownPackages = Map<string, KnownPackage>;

/** Notes a package under its name, and under all that it provides, where that is wanted. */
export function notePackage(
  found: KnownPackages,
  wanted: ReadonlySet<string>,
  name: string,
  version: string,
  provides: string,
): void {
  const under = (one: string): KnownPackage => {
    const known = found.get(one) ?? { versions: [], providers: [] };
    found.set(one, known);
    return known;
  };
  if (wanted.has(name)) under(name).versions.push(version);
  // Provides has no restrictions, so any architecture will do.
  for (const { name: provided, bound } of relationsOf(provides, "any"))
    if (wanted.has(provided))
      under(provided).providers.push({
        package: name,
        ...(bound?.operator === "=" && { version: bound.version }),
      });
}

/** Where lines of a text begin with some words. */
function* linesWith(text: string, words: string): Generator<number> {
  for (let at = text.indexOf(words); at >= 0;) {
    if (at === 0 || text[at - 1] === "\n") yield at;
    at = text.indexOf(words, at + words.length);
  }
}

/**
 * Looks up names in a Packages index. That of a distribution is searched as one text: taken apart, its
 * fifty megabytes would take seconds.
 */
export function lookUp(
  index: string,
  wanted: ReadonlySet<string>,
  found: KnownPackages,
): void {
  const stanzas = new Set<number>();
  const beginOf = (at: number) => {
    const blank = at === 0 ? -1 : index.lastIndexOf("\n\n", at - 1);
    return blank < 0 ? 0 : blank + 2;
  };
  for (const name of wanted)
    for (const at of linesWith(index, `Package: ${name}\n`))
      stanzas.add(beginOf(at));
  for (const at of linesWith(index, "Provides: ")) {
    const end = index.indexOf("\n", at);
    const line = index.slice(at, end < 0 ? undefined : end);
    const names = line.match(/[a-z0-9][a-z0-9+.-]+/g) ?? [];
    if (names.some((name) => wanted.has(name))) stanzas.add(beginOf(at));
  }
  for (const begin of stanzas) {
    const end = index.indexOf("\n\n", begin);
    const stanza = index.slice(begin, end < 0 ? undefined : end);
    const field = (name: string) => {
      const [at] = linesWith(stanza, `${name}: `);
      if (at === undefined) return "";
      const newline = stanza.indexOf("\n", at);
      const line = stanza.slice(at, newline < 0 ? undefined : newline);
      return line.slice(name.length + 2).trim();
    };
    const [name, version] = [field("Package"), field("Version")];
    notePackage(found, wanted, name, version, field("Provides"));
  }
}

/** Whether packages of an index meet a relation. */
export function thereIn(found: KnownPackages): IsThere {
  return (alternatives) =>
    alternatives.some(({ name, bound }) => {
      const known = found.get(name);
      return (
        known?.versions.some((version) => isWithin(version, bound)) === true ||
        known?.providers.some(({ version }) =>
          version === undefined ? bound === null : isWithin(version, bound),
        ) === true
      );
    });
}
