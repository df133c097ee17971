import { existsSync } from "node:fs";
import { join } from "node:path";

import { inOneInstant, stillRunning } from "../../state/inspection.ts";
import { listPpas, ppaOfTicket } from "../../state/ppas.ts";
import { startOver, stepOfTicket } from "../../state/snapshot.ts";
import type { Engine } from "../../engine/engine.ts";
import { namesIn } from "../abandoned-folders.ts";
import type { Found } from "./inconsistency.ts";
import { withMend } from "./inconsistency.ts";
import {
  comesAfter,
  packagesStep,
  queueStep,
  workStep,
} from "../../domain/step.ts";

/** PPAs on disk against those of the pool. */
export async function ppas({
  db,
  paths,
  backends,
  actor,
}: Engine): Promise<Found[]> {
  const keeper = await backends.archive();
  const known = listPpas(db);
  const names = new Set(known.map(({ name }) => name));
  const onDisk = new Set([
    ...(await namesIn(paths.ppa)),
    ...(await namesIn(paths.aptly)).filter(
      (name) => name !== "archive" && !name.startsWith("."),
    ),
  ]);
  const found: Found[] = [];
  for (const name of onDisk) {
    if (names.has(name)) continue;
    const ours = /^[a-z0-9][a-z0-9+._-]*$/.test(name);
    found.push({
      check: "ppa",
      what: `${name} is on disk and not in the pool`,
      where: join(paths.ppa, name),
      remedy: ours ? `${withMend} removes it` : "look what it is, and move it",
      ...(ours && { mend: () => keeper.clearPpa(name) }),
    });
  }
  for (const { name, state, ticket } of known) {
    if (state !== "reserved" || ticket === null) continue;
    const where = join(paths.ppa, name);
    const isGone = () => {
      const step = workStep(stepOfTicket(db, ticket) ?? queueStep)?.code;
      return (
        // At the steps before, it is made anew.
        step !== undefined &&
        comesAfter(step, packagesStep) &&
        !existsSync(where) &&
        !stillRunning(db, ticket) &&
        ppaOfTicket(db, ticket) === name
      );
    };
    if (!isGone() || !inOneInstant(db, isGone)) continue;
    found.push({
      check: "ppa",
      what: `the PPA of ticket ${ticket} is not there`,
      where,
      remedy: `${withMend} has it filled again from what is stored`,
      mend: () => {
        inOneInstant(db, () => {
          if (isGone()) startOver(db, actor, ticket, "its PPA was gone (fsck)");
        });
      },
    });
  }
  return found;
}
