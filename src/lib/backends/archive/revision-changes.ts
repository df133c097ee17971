import type { Publication } from "./archive.ts";

type Publications = Readonly<Record<string, readonly Publication[]>>;

/** What a revision did to a source package: `from` null added it, `to` null removed it. */
export interface SourceChange {
  readonly series: string;
  readonly source: string;
  readonly from: string | null;
  readonly to: string | null;
}

/** What was added, changed and removed between what two revisions publish. */
export function changesSince(
  before: Publications,
  after: Publications,
): SourceChange[] {
  const series = new Set([before, after].flatMap((one) => Object.keys(one)));
  return [...series].sort().flatMap((one) => {
    const old = versionsIn(before[one]);
    const now = versionsIn(after[one]);
    return [...new Set([...old.keys(), ...now.keys()])]
      .sort()
      .map((source) => ({
        ...{ series: one, source },
        from: old.get(source) ?? null,
        to: now.get(source) ?? null,
      }))
      .filter(({ from, to }) => from !== to);
  });
}

/** `hello 1.1 (was 1.0)`, `+hello 1.0`, `-hello 1.0`. */
export function changeInWords({ source, from, to }: SourceChange): string {
  if (from === null) return `+${source} ${to ?? ""}`;
  return to === null ? `-${source} ${from}` : `${source} ${to} (was ${from})`;
}

function versionsIn(
  publications: readonly Publication[] = [],
): ReadonlyMap<string, string> {
  return new Map(
    publications
      .filter(({ kind }) => kind === "source")
      .map(({ name, version }) => [name, version]),
  );
}
