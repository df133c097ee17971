import { join } from "node:path";

import type {
  Archive,
  RevisionRecord,
} from "../../backends/archive/archive.ts";
import type { Connection } from "../../state/database.ts";
import { inImmediateTransaction, isPublished } from "../../state/inspection.ts";
import { recordEvent } from "../../state/events.ts";
import { recordLanding } from "../../state/landings.ts";
import {
  newestRevision,
  publishedNow,
  recordPublication,
} from "../../state/publications.ts";
import { completeStep, hasEnded } from "../../domain/step.ts";
import { stepOfTicket } from "../../state/snapshot.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Found, LookOptions } from "./inconsistency.ts";
import { fromBackup, mending } from "./inconsistency.ts";
import { takenOut } from "./taken-out.ts";
import { advice, remedy } from "../../domain/remedy.ts";

/** Compares the archive with its own records and with the state. */
export async function archive(
  engine: Engine,
  { digests, aside }: LookOptions,
): Promise<Found[]> {
  const { db, paths, backends, actor } = engine;
  const keeper = await backends.archive();
  const found: Found[] = [];
  // The state is read first, because a revision is published before it is recorded.
  const newest = newestRevision(db);
  for (const { kind, where, what, revision } of await keeper.inspect(digests)) {
    const common = { check: "archive", what, where };
    switch (kind) {
      case "hidden":
        return [await hidden(common, keeper, db, newest)];
      case "half-made":
        found.push({
          ...common,
          remedy: advice`${mending} removes it; a killed publication left it`,
          mend: () => keeper.tidy([], aside),
        });
        break;
      case "unreferenced":
        found.push({
          ...common,
          remedy: advice`${mending} moves it to ${aside}`,
          mend: () => keeper.tidy([], aside),
        });
        break;
      case "broken-old":
        found.push({
          ...common,
          remedy: advice`${mending} moves it to ${aside}: clients see another revision`,
          ...(revision !== undefined && {
            mend: () => keeper.tidy([revision], aside),
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
  const where = join(paths.archive, "dists");
  if (!(await keeper.exists()))
    return [
      newest > 0
        ? {
            check: "archive",
            what: "the archive is missing",
            where: paths.archive,
            remedy: advice`the state knows revision ${newest}: ${fromBackup}`,
          }
        : {
            check: "archive",
            what: "there is no archive yet",
            where: paths.archive,
            remedy: advice`${remedy("init")} makes it`,
          },
    ];
  for (const what of await keeper.faultsForClients())
    if (!found.some(({ mend }) => mend === undefined))
      found.push({
        check: "archive",
        what,
        where,
        remedy: advice`clients are affected: ${fromBackup}`,
      });
  if (found.some(({ mend }) => mend === undefined)) return found;
  if ((await keeper.signing())?.unfinished === true)
    found.push({
      check: "key",
      what: "a rotation of the signing key was killed, and has left private keys that do not sign",
      where: paths.gnupg,
      remedy: advice`the same command goes on: ${remedy("archive rotate-key")} or ${remedy("archive rotate-key", [], { finish: true })}`,
    });
  const current = await keeper.current();
  if (newest > current.revision) {
    const what = `the state knows revision ${newest}, the archive shows ${current.revision}`;
    // What is newer than clients see was published: nothing of it may be cleared away.
    return [
      await hidden({ check: "archive", what, where }, keeper, db, newest),
    ];
  }
  const unrecorded = await takenOut(engine);
  found.push(...unrecorded);
  if (unrecorded.some(({ where: at }) => at === `revision ${current.revision}`))
    return found;
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
              if (maker !== undefined && current.ticket !== null)
                recordLanding(db, {
                  series,
                  revision: current.revision,
                  ticket: current.ticket,
                  landed_at: current.created_at,
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

/** The finding that clients do not see the newest revision, with its repair where that revision is whole. */
async function hidden(
  common: Pick<Found, "check" | "what" | "where">,
  keeper: Archive,
  db: Connection,
  newest: number,
): Promise<Found> {
  const target = await revisionToShow(db, keeper, newest);
  if (target === undefined)
    return {
      ...common,
      remedy: advice`no revision that is left is what the state knows: ${fromBackup}`,
    };
  const { revision } = target;
  return {
    ...common,
    remedy: advice`${mending} has it name revision ${revision} again`,
    mend: () => keeper.showAgain(revision),
  };
}

/**
 * The newest revision, if the state knows none above it: a folder in its place is that of a complete one.
 * An older one only if it holds what the state knows as published.
 */
async function revisionToShow(
  db: Connection,
  keeper: Archive,
  newest: number,
): Promise<RevisionRecord | undefined> {
  const complete = await keeper.complete();
  const last = complete.at(-1);
  if (last === undefined || last.revision >= newest) return last;
  const known = publishedNow(db).map(keyOf).sort().join("\n");
  for (const record of complete.toReversed()) {
    const { publications } = await keeper.readKept(record.revision);
    const held = Object.entries(publications)
      .flatMap(([series, packages]) =>
        packages
          .filter(({ kind }) => kind === "source")
          .map(({ name, version }) => keyOf({ series, source: name, version })),
      )
      .sort()
      .join("\n");
    if (held === known) return record;
  }
  return undefined;
}

const keyOf = (one: {
  readonly series: string;
  readonly source: string;
  readonly version: string;
}) => `${one.series} ${one.source} ${one.version}`;
