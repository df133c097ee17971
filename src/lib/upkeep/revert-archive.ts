import type { Revision } from "../backends/archive/archive.ts";
import type { Plan } from "../domain/plan.ts";
import type { Engine } from "../engine/engine.ts";
import { recordTakenOut } from "./record-taking-out.ts";

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
  engine: Engine,
  revision: number,
  reason: string,
): Promise<{ readonly plan: Plan; readonly made: Revision }> {
  const plan = await planRevert(engine.backends, revision);
  const made = await (await engine.backends.archive()).revert(plan.revision);
  // It is current already.
  if (made.reverts_to !== revision) return { plan, made };
  await recordTakenOut(engine, made, {
    what: "reverted",
    revertsTo: revision,
    words: `back to revision ${revision}`,
    reason,
  });
  return { plan, made };
}
