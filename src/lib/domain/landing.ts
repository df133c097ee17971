/** What people have found out about a landing; `untestable` counts as good. */
export const qaStates = ["needs-testing", "ok", "bad", "untestable"] as const;

export type QaState = (typeof qaStates)[number];

/**
 * A published ticket, or a return to older packages, as the shepherd sees it; its number is the archive's
 * revision. Or a commit, whose number is its place in the branch.
 */
export interface Landing {
  readonly revision: number;
  readonly series: string;
  /** Null for what an operator took out of the archive, or brought back. */
  readonly ticket: number | null;
  readonly sources: readonly {
    readonly source: string;
    readonly version: string;
  }[];
  readonly owner: string;
  readonly landed_at: string;
  readonly qa: QaState;
  /** When that verdict ends, and the landing needs testing again; null for never. */
  readonly qa_until: string | null;
  /** The earlier landing that somebody said this one rolls back. */
  readonly rollback_of: number | null;
  /** All landings whose effect it ends. */
  readonly rolls_back: readonly number[];
  /** The landing that ended its effect; null while that lasts. */
  readonly undone_by: number | null;
  readonly note: string | null;
  /** Of a commit: its hash, the first line of its message, the bugs that it names. */
  readonly commit?: string;
  readonly title?: string;
  readonly bugs?: readonly number[];
  /** A commit that says nothing of its QA: neither bug nor clause, and no verdict yet. */
  readonly orphan?: boolean;
}

/** A landing that is bad or needs testing, and since when it waits for somebody. */
export interface WaitingLanding {
  readonly landing: Landing;
  /** ISO 8601 UTC: when it landed, or the end of the verdict that let it through. */
  readonly since: string;
}

/** What a landing does to earlier ones of its series. */
export interface LandingEffect {
  readonly revision: number;
  /** It goes back to what was there at that revision. */
  readonly revertsTo: number | null;
  /** It takes out what these landings brought. */
  readonly takesOut: readonly number[];
}

/** A landing has its effect in all revisions from `since` on, up to and without `until`. */
export interface EffectSpan {
  readonly revision: number;
  readonly since: number;
  readonly until: number | null;
}

/**
 * In which revisions each landing of a series has its effect. What rolls a rollback back brings back what
 * that one had taken out.
 *
 * @param effects in the order of their revisions
 */
export function effectSpans(effects: readonly LandingEffect[]): EffectSpan[] {
  const spans: { revision: number; since: number; until: number | null }[] = [];
  const open = new Map<number, (typeof spans)[number]>();
  const begin = (revision: number, since: number) => {
    const span = { revision, since, until: null };
    spans.push(span);
    open.set(revision, span);
  };
  for (const { revision, revertsTo, takesOut: named } of effects) {
    const takesOut = named.filter((one) => open.has(one));
    const wasThere = (at: number) => (span: EffectSpan) =>
      span.since <= at && (span.until === null || span.until > at);
    const comesBack =
      revertsTo === null
        ? spans.filter(
            ({ until }) => until !== null && takesOut.includes(until),
          )
        : spans.filter(wasThere(revertsTo));
    const stays = new Set(comesBack.map((span) => span.revision));
    const goes =
      revertsTo === null
        ? takesOut
        : [...open.keys()].filter((one) => !stays.has(one));
    for (const gone of goes) {
      const span = open.get(gone);
      if (span !== undefined) span.until = revision;
      open.delete(gone);
    }
    for (const back of stays)
      if (!open.has(back) && !goes.includes(back)) begin(back, revision);
    begin(revision, revision);
  }
  return spans;
}

/** Which revision of a series may be deployed. */
export interface Deployable {
  /** The newest that is good with all that it contains, or what is deployed; null: none. */
  readonly revision: number | null;
  /** The oldest landing that keeps the newest revision from being deployable; null when that one is. */
  readonly blockedBy: number | null;
}

/**
 * The newest revision in which no landing has its effect that is bad or needs testing. A bad one and its
 * rollback are therefore deployed together. What is deployed stays deployable: nobody is sent back.
 *
 * @param newestBelow the newest landing of the series below a number, or undefined
 * @param doubtful spans of the landings that are bad or need testing
 * @param deployed the revision that is deployed, or null
 */
export function deployable(
  newestBelow: (limit: number) => number | undefined,
  doubtful: readonly EffectSpan[],
  deployed: number | null,
): Deployable {
  const end = ({ until }: EffectSpan) => until ?? Number.POSITIVE_INFINITY;
  const latestEndFirst = doubtful.toSorted(
    (one, other) => end(other) - end(one),
  );
  let below = Number.POSITIVE_INFINITY;
  for (const span of latestEndFirst) {
    if (end(span) < below) break;
    below = Math.min(below, span.since);
  }
  const inTheEnd = doubtful.filter(({ until }) => until === null);
  const blockedBy =
    inTheEnd.length === 0
      ? null
      : Math.min(...inTheEnd.map(({ revision }) => revision));
  const newest = newestBelow(below);
  return {
    revision: newest === undefined ? deployed : Math.max(newest, deployed ?? 0),
    blockedBy,
  };
}

/** A landing in a few words: "landing 7 (hello 2.10-4)". */
export function landingName({
  revision,
  ticket,
  sources,
  rolls_back,
  title,
}: Pick<
  Landing,
  "revision" | "ticket" | "sources" | "rolls_back" | "title"
>): string {
  if (title !== undefined) return `landing ${revision} (${title})`;
  const what =
    ticket === null
      ? `takes out ${rolls_back.join(", ") || "nothing"}`
      : sources.map(({ source, version }) => `${source} ${version}`).join(", ");
  return `landing ${revision} (${what})`;
}

/** What the shepherd knows about a series: the shape of `landings --json`. */
export interface LandingsReport {
  readonly series: string;
  readonly deployable_revision: number | null;
  /** The revision that was promoted last, or null. */
  readonly deployed_revision: number | null;
  /** The oldest landing that keeps the newest revision from being deployable. */
  readonly blocked_by: number | null;
  /** Newest last. */
  readonly landings: readonly Landing[];
}
