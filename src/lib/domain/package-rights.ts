import { matchesGlob } from "./glob.ts";

/** Globs of the source packages that an uploader may upload; null: all of them. */
export type PackageRights = readonly string[] | null;

/** Longest glob, in characters; no package name is that long. */
const longestGlob = 128;
const mostGlobs = 1000;

/** Why globs cannot be accepted, one reason each; empty when they can. */
export function problemsOfGlobs(globs: readonly string[]): string[] {
  if (globs.length > mostGlobs)
    return [`${globs.length} are more than ${mostGlobs}`];
  return globs.flatMap((glob) =>
    glob.length > longestGlob
      ? [`${JSON.stringify(glob.slice(0, 40))}… is too long`]
      : /^[a-z0-9*?][a-z0-9+.*?-]*$/.test(glob)
        ? []
        : [
            `${JSON.stringify(glob)} is not the name of a source package, with * for any characters and ? for one (quote it from the shell)`,
          ],
  );
}

/** Makes rights from checked globs: sorted, without duplicates; `*` means all packages. */
export function rightsOf(globs: readonly string[]): PackageRights {
  const plain = globs.map((glob) => glob.replaceAll(/\*+/g, "*"));
  return plain.includes("*") ? null : [...new Set(plain)].sort();
}

export function mayUpload(rights: PackageRights, source: string): boolean {
  return rights === null || rights.some((glob) => matchesGlob(glob, source));
}

/** Rights in words. */
export function rightsInWords(rights: PackageRights): string {
  return rights === null ? "all packages" : rights.join(", ");
}
