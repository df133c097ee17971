import { bringBack, Damage } from "../domain/error.ts";
import { advice, remedy } from "../domain/remedy.ts";
import { isThere } from "../files/optional-file.ts";
import type { StatePaths } from "../host/paths.ts";
import type { Connection } from "../state/database.ts";
import { recordedUploaders } from "../state/uploaders.ts";
import { filesOf } from "./uploader-store.ts";

/** Fingerprints of the keys that were accepted, and never removed, whose files are missing. */
export function missingUploaders(
  db: Connection,
  { uploaders }: Pick<StatePaths, "uploaders">,
): string[] {
  return recordedUploaders(db).filter(
    (fingerprint) => !filesOf(uploaders, fingerprint).some(isThere),
  );
}

/**
 * Without any of the recorded keys, every upload would be refused as that of somebody unknown.
 *
 * @throws Damage when keys were accepted, and the files of all of them are missing
 */
export function requireUploaders(
  db: Connection,
  { uploaders }: Pick<StatePaths, "uploaders">,
): void {
  const recorded = recordedUploaders(db);
  const missing = missingUploaders(db, { uploaders });
  if (missing.length === 0 || missing.length < recorded.length) return;
  throw new Damage(
    `the uploaders' keys are missing from ${uploaders}: ${missing.length} were accepted`,
    advice`${bringBack}, or accept them again: ${remedy("uploaders add", ["KEYFILE"])}`,
  );
}
