import { revisionTree } from "../backends/archive/revisions.ts";
import { bringBack, Damage } from "../domain/error.ts";
import type { StatePaths } from "../host/paths.ts";
import type { Connection } from "../state/database.ts";
import { newestRevision } from "../state/publications.ts";

/**
 * Nothing works on an archive that is older than the state, or gone: the next revision would take the
 * number, and the place, of one that clients have seen.
 *
 * @throws Damage when the state knows a newer revision than clients see
 */
export async function requireNewestRevision(
  db: Connection,
  paths: StatePaths,
): Promise<void> {
  const shown = await revisionTree(paths.archive).currentNumber();
  const known = newestRevision(db);
  if (known <= (shown ?? 0)) return;
  throw new Damage(
    shown === null
      ? `the archive ${paths.archive} is missing: the state knows revision ${known} of it`
      : `the archive shows revision ${shown}, and the state knows revision ${known}`,
    shown === null ? bringBack : undefined,
  );
}
