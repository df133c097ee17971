import { join } from "node:path";

import {
  inImmediateTransaction,
  stillRunning,
} from "../../state/inspection.ts";
import { listPpas, ppaOfTicket } from "../../state/ppas.ts";
import { startOver, stepOfTicket } from "../../state/snapshot.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Found } from "./inconsistency.ts";
import { mending } from "./inconsistency.ts";
import { isPpaName } from "../../domain/ppa-name.ts";
import { advice } from "../../domain/remedy.ts";
import {
  comesAfter,
  packagesStep,
  queueStep,
  workStep,
} from "../../domain/step.ts";

/** Compares the PPAs on disk with those of the pool. */
export async function ppas({
  db,
  paths,
  backends,
  actor,
}: Engine): Promise<Found[]> {
  const pool = await backends.pool();
  const known = listPpas(db);
  const names = new Set(known.map(({ name }) => name));
  const found: Found[] = [];
  for (const name of await pool.list()) {
    if (names.has(name)) continue;
    const ours = isPpaName(name);
    found.push({
      check: "ppa",
      what: `${name} is on disk and not in the pool`,
      where: join(paths.ppa, name),
      remedy: ours
        ? advice`${mending} removes it`
        : "look what it is, and move it",
      ...(ours && { mend: () => pool.clear(name) }),
    });
  }
  for (const { name, state, ticket } of known) {
    if (state !== "reserved" || ticket === null) continue;
    const where = join(paths.ppa, name);
    const isNeeded = () => {
      const step = workStep(stepOfTicket(db, ticket) ?? queueStep)?.code;
      return (
        // Before that step has passed, the PPA is filled again anyway.
        step !== undefined &&
        comesAfter(step, packagesStep) &&
        !stillRunning(db, ticket) &&
        ppaOfTicket(db, ticket) === name
      );
    };
    if (!isNeeded() || (await pool.has(name))) continue;
    // It may have been released and emptied in the meantime.
    if (!inImmediateTransaction(db, isNeeded)) continue;
    found.push({
      check: "ppa",
      what: `the PPA of ticket ${ticket} is not there`,
      where,
      remedy: advice`${mending} has it filled again from what is stored`,
      mend: async () => {
        if (await pool.has(name)) return;
        inImmediateTransaction(db, () => {
          if (isNeeded())
            startOver(db, actor, ticket, "its PPA was gone (fsck)");
        });
      },
    });
  }
  return found;
}
