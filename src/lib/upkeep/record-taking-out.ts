import type { Revision } from "../backends/archive/archive.ts";
import { crashPoint } from "../files/crash-point.ts";
import type { Engine } from "../engine/engine.ts";
import { lastEvent, recordEvent } from "../state/events.ts";
import { recordTakingOut } from "../state/landings.ts";
import { recordPublication } from "../state/publications.ts";
import { noteLandings } from "../tickets/local-landings.ts";

/** How a revision came about that takes landings out of the archive. */
interface TakenOut {
  readonly what: "undone" | "reverted";
  readonly undoes?: number;
  readonly revertsTo?: number;
  /** What it does, in words: "back to revision 3". */
  readonly words: string;
  readonly reason: string;
}

/**
 * Records a revision that takes landings out: all that its series have now, the landing, and what became
 * deployable by it. Recording it twice changes nothing.
 */
export async function recordTakenOut(
  { db, paths, config, actor }: Omit<Engine, "store" | "backends">,
  made: Revision,
  { what, undoes, revertsTo, words, reason }: TakenOut,
): Promise<void> {
  crashPoint("archive.taken-out");
  const { revision, created_at, changes } = made;
  const series = [...new Set(changes.map((change) => change.series))];
  db.transaction(() => {
    for (const one of series)
      for (const { kind, name, version } of made.publications[one] ?? [])
        if (kind === "source")
          recordPublication(db, {
            revision,
            series: one,
            source: name,
            version,
            ticket: null,
            created_at,
          });
    recordTakingOut(
      db,
      {
        revision,
        series,
        landed_at: created_at,
        reason,
        ...(undoes !== undefined && { undoes }),
        ...(revertsTo !== undefined && { revertsTo }),
      },
      actor,
    );
    if (lastEvent(db, "archive", revision)?.what === what) return;
    recordEvent(db, {
      actor,
      subject: "archive",
      subject_id: revision,
      what,
      to_state: String(revision),
      why: `${words}: ${reason}`,
    });
  }).immediate();
  await noteLandings(
    { db, paths, config, actor },
    `revision ${revision}, ${words}`,
  );
}
