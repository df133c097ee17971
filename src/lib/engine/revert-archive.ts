import type { Revision } from "../backends/archive/archive.ts";
import { refused } from "../domain/error.ts";
import { recordEvent } from "../state/events.ts";
import { recordPublication } from "../state/publications.ts";
import type { Engine } from "./engine.ts";

/**
 * Publishes the contents of an older revision again, as a new one, and records it.
 *
 * @throws UbuntuCiError (2) when there is no such revision
 */
export async function revertArchive(
  { db, backends, actor }: Engine,
  revision: number,
): Promise<Revision> {
  const archive = await backends.archive();
  const known = (await archive.revisions()).find(
    (candidate) => candidate.revision === revision,
  );
  if (known === undefined)
    throw refused(
      `there is no revision ${revision}`,
      "`ubuntu-ci archive list` shows them",
    );
  const made = await archive.revert(revision);
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
    recordEvent(db, {
      actor,
      subject: "archive",
      subject_id: made.revision,
      what: "reverted",
      to_state: String(made.revision),
      why: `back to revision ${revision}`,
    });
  }).immediate();
  return made;
}
