import { createReadStream, statSync } from "node:fs";
import { open, rm } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";

import { uncompressedName } from "../../lib/domain/compressed-name.ts";
import { messageOf, refused } from "../../lib/domain/error.ts";
import type { Artifact } from "../../lib/domain/ticket.ts";
import { gunzipFile } from "../../lib/files/gzip-file.ts";
import { makeFolder } from "../../lib/files/make-folder.ts";
import { modeForCaller } from "../../lib/host/umask.ts";
import {
  isTerminal,
  printBytes,
  printStreamedText,
} from "../../lib/host/output.ts";
import { makeOwnFolder } from "../../lib/files/own-folder.ts";
import type { TicketSystem } from "../../lib/tickets/ticket-system.ts";
import type { CommandContext } from "../../cli/context.ts";
import { pathArgument } from "../../cli/arguments.ts";
import { sizeInWords } from "../../lib/domain/size.ts";
import type { Result } from "../../cli/command.ts";
import { advice, remedy } from "../../lib/domain/remedy.ts";

/** The option of commands that fetch an artifact: an existing file is not replaced without it. */
export const forceOption = [
  "--force",
  "replace a file that is there already (default: no)",
] as const;

/** Fetches an artifact into a file, a folder, or standard output (`-`), with progress on a terminal. */
export async function fetchTo(
  context: CommandContext,
  tickets: TicketSystem,
  artifact: Artifact,
  {
    output,
    force = false,
    unpacked = false,
  }: { readonly output: string; force?: boolean; unpacked?: boolean },
): Promise<Result | undefined> {
  const name = unpacked ? uncompressedName(artifact.name) : artifact.name;
  const fetch = (to: string) =>
    unpacked
      ? fetchUnpacked(context, tickets, artifact, to)
      : tickets.fetchArtifact(artifact, to);
  if (artifact.expired_at !== null)
    throw refused(
      `${artifact.name} expired on ${artifact.expired_at.slice(0, 10)} by policy`,
      advice`a backup of an earlier day may have it; ${remedy("config")} shows expire.*, the policy`,
    );
  if (output === "-") {
    // Nothing is printed before the whole file has been verified.
    await inOwnFolder(context, async (folder) => {
      const file = join(folder, "artifact");
      await fetch(file);
      await printFile(file, name);
    });
    return undefined;
  }
  if (artifact.size > 20_000_000)
    context.say(`fetching ${artifact.name}, ${sizeInWords(artifact.size)} …`);
  let target = pathArgument(output);
  try {
    const isFolder =
      statSync(target, { throwIfNoEntry: false })?.isDirectory() === true;
    if (!isFolder && output.endsWith("/")) makeFolder(target);
    if (isFolder || output.endsWith("/")) target = join(target, name);
    const there = statSync(target, { throwIfNoEntry: false });
    if (there?.isFile() === true && !force)
      throw refused(
        `${target} is there already`,
        "--force replaces it, --output names another place",
      );
    await fetch(target);
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (["EACCES", "EPERM", "ENOENT", "ENOTDIR", "EROFS"].includes(code ?? ""))
      throw refused(
        `${target} cannot be written by ${userInfo().username}: ${messageOf(thrown)}`,
        "name another place with --output, or have your shell write it: --output - >FILE",
      );
    throw thrown;
  }
  context.say(
    `${artifact.name}, ${sizeInWords(artifact.size)}, sha256 ${artifact.sha256}`,
  );
  return { text: target, value: { path: target, artifact } };
}

/** Fetches a compressed log, verifies it, and writes what it contains. */
async function fetchUnpacked(
  context: CommandContext,
  tickets: TicketSystem,
  artifact: Artifact,
  target: string,
): Promise<void> {
  await inOwnFolder(context, async (folder) => {
    const file = join(folder, "compressed");
    await tickets.fetchArtifact(artifact, file);
    await gunzipFile(file, target, modeForCaller());
  });
}

/** Passes on a folder for this use alone, on the disk of the state. */
async function inOwnFolder(
  { paths: { scratch } }: CommandContext,
  use: (folder: string) => Promise<void>,
): Promise<void> {
  makeFolder(scratch);
  const folder = makeOwnFolder(scratch, "fetched");
  try {
    await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Prints the exact bytes to a pipe or file; on a terminal, control characters in a text are escaped. */
async function printFile(file: string, name: string): Promise<void> {
  if (!isTerminal("stdout")) {
    await printBytes(createReadStream(file));
    return;
  }
  if (await isBinary(file))
    throw refused(
      `${name} is a binary file, which a terminal cannot show`,
      "name a file with --output, or have your shell write it: --output - >FILE",
    );
  await printStreamedText(createReadStream(file));
}

/** A NUL byte near the start means binary, as in git. */
async function isBinary(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(8000), 0, 8000);
    return buffer.subarray(0, bytesRead).includes(0);
  } finally {
    await file.close();
  }
}
