import type { Revision } from "../backends/archive/archive.ts";
import type { Plan } from "../domain/plan.ts";
import { recordEvent } from "../state/events.ts";
import { noteLandings } from "../tickets/local-landings.ts";
import { recordPublication } from "../state/publications.ts";
import { recordTakingOut } from "../state/landings.ts";
import type { Engine } from "../engine/engine.ts";

interface RevertPlan extends Plan {
  readonly revision: number;
}

/**
 * Plans to publish the contents of an older revision again.
 *
 * @throws UbuntuCiError (2) when there is no such revision
 */
export async function planRevert(
  backends: Engine["backends"],
  revision: number,
): Promise<RevertPlan> {
  await (await backends.archive()).read(revision);
  return {
    command: "archive",
    actions: [
      `make a new revision with the contents of revision ${revision}, the one that clients see`,
    ],
    revision,
  };
}

/**
 * Publishes the contents of an older revision again, as a new one, and records it.
 *
 * @throws UbuntuCiError (2) when there is no such revision
 */
export async function revertArchive(
  { db, paths, config, backends, actor }: Engine,
  revision: number,
  reason: string,
): Promise<{ readonly plan: Plan; readonly made: Revision }> {
  const plan = await planRevert(backends, revision);
  const made = await (await backends.archive()).revert(plan.revision);
  // It is current already.
  if (made.reverts_to !== revision) return { plan, made };
  db.transaction(() => {
    for (const [series, publications] of Object.entries(made.publications)) {
      for (const { kind, name, version } of publications) {
        if (kind !== "source") continue;
        recordPublication(db, {
          revision: made.revision,
          series,
          source: name,
          version,
          ticket: null,
          created_at: made.created_at,
        });
      }
    }
    recordTakingOut(
      db,
      {
        revision: made.revision,
        revertsTo: revision,
        landed_at: made.created_at,
        reason,
      },
      actor,
    );
    recordEvent(db, {
      actor,
      subject: "archive",
      subject_id: made.revision,
      what: "reverted",
      to_state: String(made.revision),
      why: `back to revision ${revision}: ${reason}`,
    });
  }).immediate();
  await noteLandings(
    { db, paths, config, actor },
    `revision ${made.revision} goes back to revision ${revision}`,
  );
  return { plan, made };
}
