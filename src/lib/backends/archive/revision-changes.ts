import type { Revision } from "./archive.ts";

/** What a revision did to a source package: `from` null added it, `to` null removed it. */
export interface SourceChange {
  readonly series: string;
  readonly source: string;
  readonly from: string | null;
  readonly to: string | null;
}

/** What a revision added, changed and removed since the one before it, or since nothing. */
export function changesSince(
  before: Pick<Revision, "publications"> | undefined,
  revision: Pick<Revision, "publications">,
): SourceChange[] {
  const series = new Set(
    [before, revision].flatMap((one) => Object.keys(one?.publications ?? {})),
  );
  return [...series].sort().flatMap((one) => {
    const old = versionsIn(before, one);
    const now = versionsIn(revision, one);
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
  revision: Pick<Revision, "publications"> | undefined,
  series: string,
): ReadonlyMap<string, string> {
  return new Map(
    (revision?.publications[series] ?? [])
      .filter(({ kind }) => kind === "source")
      .map(({ name, version }) => [name, version]),
  );
}
