import { activity, waitAgain } from "../../state/inspection.ts";
import { releasable, releaseEnded } from "../../state/ppas.ts";
import { danglingRows } from "../../state/snapshot.ts";
import type { Engine } from "../../engine/engine.ts";
import { giveUpDeadRuns } from "../../engine/run-step.ts";
import type { Found } from "./inconsistency.ts";
import { fromBackup, mending } from "./inconsistency.ts";
import { advice, remedy } from "../../domain/remedy.ts";

/** Finds rows that refer to missing rows. */
export function rows({ db, paths }: Engine): Found[] {
  return danglingRows(db).map((what) => ({
    check: "state",
    what,
    where: paths.database,
    remedy: advice`rows are missing: ${fromBackup}`,
  }));
}

/** Finds open runs of dead processes, running tickets without a run, and PPAs of ended tickets. */
export function runs(engine: Engine): Found[] {
  const { db, actor } = engine;
  const { dead, stuck } = activity(db);
  const why = "found running with no run (fsck)";
  return [
    ...dead.map(({ id, ticket, pid, host }) => ({
      check: "run",
      what: `run ${id} is open and its process ${pid} on ${host} is gone`,
      where: `ticket ${ticket}`,
      remedy: "the next run at its step gives it up",
      mend: () => giveUpDeadRuns(engine),
    })),
    ...stuck.map((ticket) => ({
      check: "run",
      what: "it is running, and there is no run",
      where: `ticket ${ticket}`,
      remedy: advice`${mending} makes it wait for its turn again`,
      mend: () => waitAgain(db, actor, ticket, why),
    })),
    ...releasable(db).map((name) => ({
      check: "ppa",
      what: `${name} is reserved by a ticket that has ended`,
      where: name,
      remedy: advice`${remedy("release-ppa")} gives it back`,
      mend: () => releaseEnded(db, undefined, actor),
    })),
  ];
}
