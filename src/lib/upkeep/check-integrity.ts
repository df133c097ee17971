import type { Archive, Signing } from "../backends/archive/archive.ts";
import type { Config } from "../config/config.ts";
import { Damage, UbuntuCiError } from "../domain/error.ts";
import type { Measure } from "../domain/health.ts";
import { advice, remedy } from "../domain/remedy.ts";
import { hasCode, isThere } from "../files/optional-file.ts";
import type { StatePaths } from "../host/paths.ts";
import { stepOf } from "../domain/step.ts";
import type { Connection } from "../state/database.ts";
import {
  hasTickets,
  waitingForPerson,
  wedgedTickets,
} from "../state/health.ts";
import { runningWithoutRun } from "../state/inspection.ts";
import { newestRevision } from "../state/publications.ts";
import { quickProblem } from "../state/snapshot.ts";

/** @throws Damage when a short look at the state file finds it damaged, or the files that it names are gone */
export function requireSoundState(
  db: Connection,
  { database, store }: StatePaths,
): void {
  const problem = quickProblem(db);
  if (problem !== null)
    throw new Damage(`the state file ${database} is damaged: ${problem}`);
  if (!isThere(store) && hasTickets(db))
    throw new Damage(`the data store ${store} is missing`);
}

/** A count of what must not be: critical from the first one on. */
function never(
  name: string,
  help: string,
  value: number,
  words: Measure["words"],
): Measure {
  const levels = { warn: null, critical: 1, bad: "above" } as const;
  return { name, help, unit: "", value, ...levels, words };
}

/** Measures what clients of the archive would not get, and what goes on only after a person has acted. */
export async function integrityMeasures(
  db: Connection,
  archive: Archive,
  config: Config,
): Promise<Measure[]> {
  return [
    await archiveFaults(db, archive),
    ...(await signingMeasures(archive, config)),
    waiting(db),
    wedged(db),
    unworked(db),
  ];
}

/** For how long clients will take the archive for current, and a rotation of its key that waits for its end. */
async function signingMeasures(
  archive: Archive,
  config: Config,
): Promise<Measure[]> {
  // What damage there is has been told as the archive's fault.
  const signing = await archive.signing().catch((thrown: unknown) => {
    if (thrown instanceof UbuntuCiError || hasCode(thrown, "ENOENT"))
      return null;
    throw thrown;
  });
  const ends = signing?.endsFirst ?? null;
  const day = 24 * 3600;
  const left =
    ends === null
      ? null
      : ends.validUntil === null
        ? 0
        : Math.round((Date.parse(ends.validUntil) - Date.now()) / 1000);
  const validDays = config.get("archive.validDays");
  const rotatedAt = signing?.rotatedAt ?? null;
  return [
    {
      name: "archive_validity",
      help: "Time until clients take the archive for outdated.",
      unit: "s",
      value: left,
      warn: Math.round((validDays * day) / 3),
      // One that never had an end is no danger until it is signed anew.
      critical:
        ends?.validUntil === null ? null : Math.round((validDays * day) / 10),
      bad: "below",
      words: advice`${validityInWords(ends)} (${remedy("archive resign")})`,
    },
    {
      name: "key_rotation_age",
      help: "Time since a new signing key came beside the old one.",
      unit: "s",
      value:
        rotatedAt === null
          ? null
          : Math.max(
              0,
              Math.round((Date.now() - Date.parse(rotatedAt)) / 1000),
            ),
      warn: Math.max(1, config.get("archive.keyOverlapDays") * day),
      critical: null,
      bad: "above",
      words: advice`the old signing key still signs (${remedy("archive rotate-key", [], { finish: true })})`,
    },
  ];
}

function validityInWords(
  ends: NonNullable<Signing["endsFirst"]> | null,
): string {
  if (ends === null) return "";
  const { series, validUntil } = ends;
  if (validUntil === null)
    return `the archive's Release file of ${series} has no Valid-Until`;
  return Date.parse(validUntil) <= Date.now()
    ? `clients refuse the archive's ${series}: it was valid until ${validUntil}`
    : `clients refuse the archive's ${series} after ${validUntil}`;
}

async function archiveFaults(
  db: Connection,
  archive: Archive,
): Promise<Measure> {
  // The state is read first: a revision is published before it is recorded.
  const known = newestRevision(db);
  const found = [...(await archive.faultsForClients())];
  if (found.length === 0) {
    const [current] = await archive.revisions({ newest: 1 });
    if (current !== undefined && current.revision < known)
      found.push(
        `the archive shows revision ${current.revision}, and the state knows revision ${known}`,
      );
  }
  return never(
    "archive_faults",
    "What clients of the archive would not get.",
    found.length,
    advice`${found[0] ?? ""} (${remedy("fsck")} says what can be done)${more(found)}`,
  );
}

function waiting(db: Connection): Measure {
  const found = waitingForPerson(db);
  const [first] = found;
  return never(
    "waiting_for_person",
    "Tickets that wait until a person has put the configuration or this machine right.",
    found.length,
    first === undefined
      ? ""
      : advice`ticket ${first.id} waits at ${stepOf(first.step).name}: ${first.reason} (${remedy("explain", [first.id])})${more(found)}`,
  );
}

function wedged(db: Connection): Measure {
  const found = wedgedTickets(db);
  return never(
    "queue_wedged",
    "Tickets in the queue that no pass can start, as no PPA can become free.",
    found.length,
    advice`the queue is wedged: no PPA can become free for ticket ${found[0] ?? 0}${more(found)}; ${remedy("ppa list")} shows the pool`,
  );
}

function unworked(db: Connection): Measure {
  const found = runningWithoutRun(db);
  return never(
    "running_without_run",
    "Tickets that are marked as running, and that nothing works on.",
    found.length,
    advice`ticket ${found[0] ?? 0}${more(found)} is marked as running, and nothing works on it (${remedy("fsck", [], { mend: true })})`,
  );
}

function more({ length }: readonly unknown[]): string {
  return length > 1 ? ` and ${length - 1} more` : "";
}
