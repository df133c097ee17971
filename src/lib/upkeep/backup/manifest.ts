/** Description of a backup: its first member, manifest.json. */
export interface BackupManifest {
  readonly format: 1;
  /** Schema version of the state file. */
  readonly schema: number;
  readonly made_at: string;
  readonly kind: "full" | "database";
  /** The state folder, and its configuration file or null. */
  readonly state: string;
  readonly config: string | null;
  /** Files of the data store that were already missing, as CONTAINER/NAME. */
  readonly missing: readonly string[];
}

export type BackupKind = BackupManifest["kind"];

/** The contents of a backup, for people. */
export const contentsOf: Readonly<Record<BackupKind, readonly string[]>> = {
  full: [
    "the state file, as it is in one instant",
    "the signing key, the uploaders' keys, a copy of the configuration",
    "every file of the data store that the state names",
    "the archive with all its revisions",
  ],
  database: [
    "the state file, as it is in one instant",
    "a copy of the configuration",
  ],
};

/** The name of a backup made at that time, ISO 8601 UTC. */
export function backupName(kind: BackupKind, at: string): string {
  const suffix = kind === "database" ? ".database.tar.zst" : ".tar.zst";
  return `${at.replaceAll(":", "-")}${suffix}`;
}

/** The kind of a backup by its file name; undefined when the name is not a backup's. */
export function backupKind(name: string): BackupKind | undefined {
  const found = /^[0-9]{4}-[0-9-]+T[0-9.-]+Z(\.database)?\.tar\.zst$/.exec(
    name,
  );
  if (found === null) return undefined;
  return found[1] === undefined ? "full" : "database";
}
