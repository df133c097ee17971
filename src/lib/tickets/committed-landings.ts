import type { Commit } from "../clients/git/history.ts";
import { commitOf, firstParentHistory } from "../clients/git/history.ts";
import { commitClauses, stateOfCommit } from "../domain/commit-clauses.ts";
import { misconfigured } from "../domain/error.ts";
import type { EffectSpan, Landing } from "../domain/landing.ts";
import { deployable, effectSpans } from "../domain/landing.ts";
import { isGood } from "../domain/qa.ts";
import { now } from "../host/clock.ts";
import type { CommitVerdict } from "../state/verdicts.ts";
import {
  commitVerdicts,
  lastVerdict,
  recordVerdict,
} from "../state/verdicts.ts";
import type { LandingSource } from "./landing-source.ts";
import type { Installed } from "./local-state.ts";

/**
 * Commits of a branch as landings. Nothing of them is kept but the verdicts, by the commits' hashes: the
 * rest is worked out from the branch each time.
 *
 * @throws UbuntuCiError (78) when the branch cannot be read
 */
export async function committedLandings({
  db,
  config,
}: Installed): Promise<LandingSource> {
  const repository = config.get("shepherd.repository");
  if (repository === null)
    throw misconfigured(
      "shepherd.source is git, but no repository is named",
      "set shepherd.repository to the path of a local git repository",
    );
  const branch = config.get("shepherd.branch");
  const commits = await firstParentHistory(repository, branch);
  const ref = config.get("shepherd.deployedRef");
  const deployedCommit = ref === null ? null : await commitOf(repository, ref);
  const deployed =
    commits.find(({ commit }) => commit === deployedCommit)?.revision ?? null;
  const read = () =>
    landingsOf(commits, commitVerdicts(db), {
      branch,
      orphans: config.get("shepherd.orphans"),
    });
  return {
    series: [branch],
    status(series) {
      const landings = read();
      const { revision, blockedBy } = deployable(
        (limit) => landings.findLast((one) => one.revision < limit)?.revision,
        doubtfulSpans(landings),
        deployed,
      );
      return {
        series,
        deployable_revision: revision,
        deployed_revision: deployed,
        blocked_by: blockedBy,
      };
    },
    found: () => {
      const tip = commits.at(-1);
      return tip === undefined
        ? `${branch} has no commits`
        : `${branch} is at ${tip.commit}, revision ${tip.revision}`;
    },
    list(_series, { above, limit }) {
      const found = read().filter(({ revision }) => revision > above);
      return limit < 0 ? found : found.slice(-limit);
    },
    waiting() {
      const landings = read();
      const waiting = new Set(
        doubtfulSpans(landings)
          .filter(({ until }) => until === null)
          .map(({ revision }) => revision),
      );
      return landings
        .filter(({ revision }) => waiting.has(revision))
        .map((landing) => ({ landing, since: landing.landed_at }));
    },
    at: (wanted) => read().filter(({ revision }) => revision === wanted),
    record(landings, verdict, actor) {
      recordVerdict(db, landings, verdict, actor);
    },
    lastVerdict: ({ commit }) =>
      commit === undefined ? null : lastVerdict(db, { commit }),
  };
}

/** When the landings that are bad or need testing have their effect. */
function doubtfulSpans(landings: readonly Landing[]): EffectSpan[] {
  const states = new Map(landings.map(({ revision, qa }) => [revision, qa]));
  return effectSpans(
    landings.map(({ revision, rolls_back }) => ({
      revision,
      revertsTo: null,
      takesOut: rolls_back,
    })),
  ).filter((span) => !isGood(states.get(span.revision) ?? "ok"));
}

function landingsOf(
  commits: readonly Commit[],
  verdicts: readonly CommitVerdict[],
  {
    branch,
    orphans,
  }: { readonly branch: string; readonly orphans: "block" | "pass" },
): Landing[] {
  const given = new Map<string, CommitVerdict>();
  for (const verdict of verdicts)
    given.set(verdict.commit, {
      ...verdict,
      rollback_of:
        verdict.rollback_of ?? given.get(verdict.commit)?.rollback_of ?? null,
    });
  const at = now();
  return commits.map(({ revision, commit, author, committed_at, message }) => {
    const clauses = commitClauses(message);
    const { qa, orphan } = stateOfCommit(clauses, orphans);
    const verdict = given.get(commit);
    const until = verdict?.until ?? null;
    const hasEnded = until !== null && until <= at;
    const rollbackOf = verdict?.rollback_of ?? clauses.rollbackOf;
    return {
      revision,
      series: branch,
      commit,
      title: message.split("\n", 1)[0] ?? "",
      bugs: clauses.bugs,
      orphan: orphan && verdict === undefined,
      ticket: null,
      sources: [],
      owner: author,
      landed_at: committed_at,
      qa: hasEnded ? "needs-testing" : (verdict?.qa ?? qa),
      qa_until: hasEnded ? null : until,
      rollback_of: rollbackOf,
      rolls_back:
        rollbackOf === null || rollbackOf >= revision ? [] : [rollbackOf],
      undone_by: null,
      note: verdict?.note ?? null,
    };
  });
}
