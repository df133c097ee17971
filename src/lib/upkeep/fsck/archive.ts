import { join } from "node:path";

import {
  inImmediateTransaction,
  isPublished,
  newestRevision,
} from "../../state/inspection.ts";
import { recordEvent } from "../../state/events.ts";
import { recordPublication } from "../../state/publications.ts";
import { completeStep, hasEnded } from "../../domain/step.ts";
import { stepOfTicket } from "../../state/snapshot.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Found, LookOptions } from "./inconsistency.ts";
import { fromBackup, mending } from "./inconsistency.ts";
import { advice } from "../../domain/remedy.ts";

/** Compares the archive with its own records and with the state. */
export async function archive(
  { db, paths, backends, actor }: Engine,
  { digests }: LookOptions,
): Promise<Found[]> {
  const keeper = await backends.archive();
  const found: Found[] = [];
  for (const { kind, where, what, revision } of await keeper.inspect(digests)) {
    const common = { check: "archive", what, where };
    switch (kind) {
      case "half-made":
      case "unreferenced":
        found.push({
          ...common,
          remedy: advice`${mending} removes it; a killed publication left it`,
          mend: () => keeper.removeRevisions([]),
        });
        break;
      case "broken-old":
        found.push({
          ...common,
          remedy: advice`${mending} removes it: clients see another revision`,
          ...(revision !== undefined && {
            mend: () => keeper.removeRevisions([revision]),
          }),
        });
        break;
      case "broken":
      case "wrong-file":
        found.push({
          ...common,
          remedy: advice`${fromBackup}, or publish a higher version`,
        });
        break;
    }
  }
  if (found.some(({ mend }) => mend === undefined)) return found;
  if (!(await keeper.exists())) return found;
  // The state is read first, because a revision is published before it is recorded.
  const newest = newestRevision(db);
  const current = await keeper.current();
  if (newest > current.revision)
    found.push({
      check: "archive",
      what: `the state knows revision ${newest}, the archive shows ${current.revision}`,
      where: join(paths.archive, "dists"),
      remedy: advice`the archive is older than the state: ${fromBackup}`,
    });
  // A ticket that is still at its last step will record its publication itself.
  const maker =
    current.ticket === null ? completeStep : stepOfTicket(db, current.ticket);
  if (maker === undefined || hasEnded(maker)) {
    for (const [series, publications] of Object.entries(current.publications)) {
      for (const { kind, name, version } of publications) {
        if (kind !== "source") continue;
        const { revision } = current;
        if (isPublished(db, { series, name, version, revision })) continue;
        found.push({
          check: "archive",
          what: `revision ${current.revision} has ${name} ${version} for ${series}, the state does not say so`,
          where: `revision ${current.revision}`,
          remedy: advice`${mending} records it`,
          mend: () =>
            inImmediateTransaction(db, () => {
              recordPublication(db, {
                revision: current.revision,
                series,
                source: name,
                version,
                ticket: maker === undefined ? null : current.ticket,
                created_at: current.created_at,
              });
              recordEvent(db, {
                actor,
                subject: "archive",
                subject_id: current.revision,
                what: "recorded",
                why: `${name} ${version} for ${series} (fsck)`,
              });
            }),
        });
      }
    }
  }
  return found;
}
