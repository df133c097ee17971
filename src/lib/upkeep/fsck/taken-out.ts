import type { RevisionRecord } from "../../backends/archive/archive.ts";
import { advice } from "../../domain/remedy.ts";
import type { Engine } from "../../engine/engine.ts";
import { isLanding } from "../../state/inspection.ts";
import { recordTakenOut } from "../record-taking-out.ts";
import type { Found } from "./inconsistency.ts";
import { mending } from "./inconsistency.ts";

/** Why something was taken out is known only to the command that was killed. */
const reason = "the command was killed before it recorded why (fsck)";

/** Revisions that take landings out, and of which the state does not know: whoever made them was killed. */
export async function takenOut(engine: Engine): Promise<Found[]> {
  const { db, backends } = engine;
  const keeper = await backends.archive();
  const isUnrecorded = ({ revision, changes }: RevisionRecord) =>
    changes.some(({ series }) => !isLanding(db, series, revision));
  return (await keeper.complete()).flatMap((made): Found[] => {
    const how = howOf(made);
    if (how === null || !isUnrecorded(made)) return [];
    const { revision } = made;
    return [
      {
        check: "archive",
        what: `revision ${revision} was made to be ${how.words}, the state does not say so`,
        where: `revision ${revision}`,
        remedy: advice`${mending} records it`,
        mend: async () =>
          recordTakenOut(engine, await keeper.readKept(revision), {
            ...how,
            reason,
          }),
      },
    ];
  });
}

function howOf({ undoes, reverts_to: revertsTo }: RevisionRecord) {
  if (undoes !== undefined)
    return {
      what: "undone",
      undoes,
      words: `without revision ${undoes}`,
    } as const;
  if (revertsTo !== null)
    return {
      what: "reverted",
      revertsTo,
      words: `back to revision ${revertsTo}`,
    } as const;
  return null;
}
