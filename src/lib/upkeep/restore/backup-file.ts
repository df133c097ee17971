import { createReadStream, existsSync } from "node:fs";
import { access, chmod, readdir, readFile, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

import {
  messageOf,
  misconfigured,
  notNow,
  refused,
  refusedWith,
} from "../../domain/error.ts";
import { describeEnd, exec, execOk, lastLines } from "../../host/exec.ts";
import { migrations } from "../../state/migrations.ts";
import type { BackupManifest } from "../backup/manifest.ts";

/**
 * Reads the manifest of a backup.
 *
 * @throws UbuntuCiError (2) when the file is not a backup, (78) when a newer version made it
 */
export async function readBackupManifest(
  file: string,
): Promise<BackupManifest> {
  try {
    await access(file);
  } catch (thrown) {
    throw refused(
      `${file} cannot be read: ${messageOf(thrown)}`,
      "the owner of the state folder has to be able to",
    );
  }
  const read = await exec(
    [
      ...["tar", "--extract", "--zstd", "--to-stdout", "--occurrence=1"],
      ...[`--file=${resolve(file)}`, "manifest.json"],
    ],
    { cwd: "/" },
  );
  if (read.exitCode !== 0)
    throw refused(
      `${file} is not a backup of ubuntu-ci: tar ${describeEnd(read)}: ${lastLines(read.stderr, 1)}`,
    );
  let found: Partial<BackupManifest>;
  try {
    found = JSON.parse(read.stdout) as Partial<BackupManifest>;
  } catch {
    throw refused(
      `${file} is not a backup of ubuntu-ci: its manifest is not JSON`,
    );
  }
  const { format, kind, schema, made_at, missing } = found;
  if ((format as number) > 1 || Number(schema) > migrations.length)
    throw misconfigured(
      `${file} was made by a newer version (format ${String(format)}, schema ${String(schema)}; this program knows 1 and ${migrations.length})`,
      "restore it with that version of ubuntu-ci",
    );
  if (
    format !== 1 ||
    typeof schema !== "number" ||
    (kind !== "full" && kind !== "database") ||
    typeof made_at !== "string" ||
    !Array.isArray(missing)
  )
    throw refused(
      `${file} is not a backup of ubuntu-ci: its manifest is not ours`,
    );
  return found as BackupManifest;
}

/** One line of GNU tar's listing: type and name; for a link, the name includes ` -> ` and its target. */
const line = /^(.)\S+ +[0-9]+\/[0-9]+ +[0-9]+ [0-9-]+ [0-9:]+ (.*)$/;
const allowed: Readonly<Record<BackupManifest["kind"], RegExp>> = {
  database: /^(?:manifest\.json|configuration|state\.sqlite)$/,
  full: /^(?:manifest\.json|configuration|state\.sqlite|(?:gnupg|uploaders|archive)\/?|(?:gnupg|uploaders|store|archive\/pool|archive\/\.(?:revisions|packages))\/.+)$/,
};
const links =
  /^archive\/dists -> \.revisions\/[0-9]+\/dists(?:\.[0-9]+)?$|^archive\/\.revisions\/[0-9]+\/pool -> \.\.\/\.\.\/pool$/;

/**
 * Checks the name and type of every member before anything is unpacked, so that none can be written
 * outside of the folder.
 *
 * @param listing file to write tar's listing to
 * @throws UbuntuCiError (2) when a member does not belong in a backup
 */
export async function checkMembers(
  file: string,
  { kind }: BackupManifest,
  listing: string,
  signal: AbortSignal,
): Promise<void> {
  await rm(listing, { force: true });
  const listed = await exec(
    [
      ...["tar", "--list", "--verbose", "--zstd", "--numeric-owner"],
      ...["--quoting-style=escape", `--file=${resolve(file)}`],
    ],
    { cwd: "/", logFile: listing, env: { LC_ALL: "C", TZ: "UTC" }, signal },
  );
  signal.throwIfAborted();
  if (listed.exitCode !== 0) {
    const said = (await readFile(listing, "utf8")).slice(-2000);
    throw refused(
      `${file} is damaged: tar ${describeEnd(listed)}: ${lastLines(said, 1)}`,
      "use another backup",
    );
  }
  const problems: { where: string; message: string }[] = [];
  for await (const text of createInterface({
    input: createReadStream(listing),
  })) {
    const [, type, name = ""] = line.exec(text) ?? [];
    const message = faultOfMember(type, name, kind);
    if (message !== undefined && problems.length < 20)
      problems.push({ where: name === "" ? text : name, message });
  }
  if (problems.length > 0)
    throw refusedWith(
      `${file} is not a backup of ubuntu-ci: it contains files that do not belong in one`,
      problems,
    );
}

function faultOfMember(
  type: string | undefined,
  name: string,
  kind: BackupManifest["kind"],
): string | undefined {
  if (type === "l")
    return kind === "full" && links.test(name)
      ? undefined
      : "is a link to somewhere else";
  if (type !== "-" && type !== "d") return "is neither a file nor a folder";
  const parts = name.replace(/\/$/, "").split("/");
  if (name.startsWith("/") || parts.includes(".."))
    return "leads out of the folder";
  return allowed[kind].test(name) ? undefined : "is nothing that we back up";
}

/**
 * Unpacks a backup into a folder, and flushes it to disk.
 *
 * @throws UbuntuCiError (75) when the disk is full
 */
export async function unpack(
  file: string,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  const unpacked = await exec(
    [
      ...["setpriv", "--pdeathsig", "KILL", "--"],
      ...["tar", "--extract", "--zstd", "--no-same-owner"],
      ...["--no-same-permissions", "--keep-old-files"],
      ...[`--directory=${folder}`, `--file=${resolve(file)}`],
    ],
    { cwd: "/", signal },
  );
  signal.throwIfAborted();
  if (unpacked.exitCode !== 0)
    throw notNow(
      `tar ${describeEnd(unpacked)}: ${lastLines(unpacked.stderr)}`,
      "make room on the disk, and run it again",
    );
  await closeToOthers(join(folder, "gnupg"));
  await execOk(["sync", "--file-system", folder]);
}

/** Makes the signing key private, whatever modes the backup has. */
async function closeToOthers(folder: string): Promise<void> {
  if (!existsSync(folder)) return;
  await chmod(folder, 0o700);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await closeToOthers(path);
    else await chmod(path, 0o600);
  }
}
