import { refused } from "../domain/error.ts";
import type { Plan } from "../domain/plan.ts";
import { advice, remedy } from "../domain/remedy.ts";
import type { Revision } from "../backends/archive/archive.ts";
import type { Engine } from "../engine/engine.ts";
import { machineArchitecture } from "../host/architecture.ts";
import { packagesBroken } from "../steps/approvals.ts";
import { recordTakenOut } from "./record-taking-out.ts";

/** What taking a landing out would do. @throws UbuntuCiError (2) when nothing of it is there as it was */
export async function planUndo(
  { backends }: Pick<Engine, "backends">,
  revision: number,
): Promise<Plan> {
  const changes = await (await backends.archive()).planUndo(revision);
  if (changes.size === 0)
    return {
      command: "archive undo",
      actions: [`record that revision ${revision} is undone already`],
    };
  return {
    command: "archive undo",
    actions: [...changes].flatMap(([series, { takenOut, changedSince }]) => [
      `make ${takenOut.join(", ")} in ${series} what they were before revision ${revision}, in a new revision`,
      ...(changedSince.length === 0
        ? []
        : [`leave ${changedSince.join(", ")}, which changed since`]),
      "clients that have the newer packages keep them: apt goes back only when it is told to",
    ]),
  };
}

/**
 * Takes a landing out of the archive, keeps the later ones, and records it. Killed, it can be repeated.
 *
 * @throws UbuntuCiError (2) naming the packages that need what it would take out
 */
export async function undoLanding(
  engine: Engine,
  revision: number,
  reason: string,
): Promise<Revision> {
  const { backends } = engine;
  const archive = await backends.archive();
  const made = await archive.undo(revision, async (outlook, series) => {
    const broken = await packagesBroken(
      await backends.distribution(),
      series,
      machineArchitecture(),
      outlook,
    );
    if (broken.length > 0)
      throw refused(
        `without revision ${revision} packages of the archive would be unusable: ${broken.join(", ")}`,
        advice`undo what needs it first; ${remedy("archive list")} shows what each revision changed`,
      );
  });
  await recordTakenOut(engine, made, {
    what: "undone",
    undoes: revision,
    words: `without revision ${revision}`,
    reason,
  });
  return made;
}
