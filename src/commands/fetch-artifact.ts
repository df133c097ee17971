import { createReadStream, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

import { messageOf, refused } from "../lib/domain/error.ts";
import type { Artifact } from "../lib/domain/ticket.ts";
import { makeOwnFolder } from "../lib/host/own-folder.ts";
import type { TicketSystem } from "../lib/tickets/ticket-system.ts";
import type { CommandContext } from "./context.ts";
import { bytes } from "./columns.ts";

/** Fetches an artifact to a file, into a folder, or to standard output (`-`), with progress on a terminal. */
export async function fetchTo(
  context: CommandContext,
  tickets: TicketSystem,
  artifact: Artifact,
  output: string,
): Promise<void> {
  if (artifact.expired_at !== null)
    throw refused(
      `${artifact.name} expired on ${artifact.expired_at.slice(0, 10)} by policy`,
      "a backup of an earlier day may have it; `ubuntu-ci config` shows expire.*, the policy",
    );
  if (output === "-") {
    // Nothing may be shown before the digest of all of it was found right.
    const folder = makeOwnFolder(tmpdir(), "ubuntu-ci-fetched");
    try {
      const file = join(folder, "artifact");
      await tickets.fetchArtifact(artifact, file);
      await pipeline(createReadStream(file), process.stdout, { end: false });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    return;
  }
  if (artifact.size > 20_000_000)
    context.say(`fetching ${artifact.name}, ${bytes(artifact.size)} …`);
  let target = output;
  try {
    if (statSync(output, { throwIfNoEntry: false })?.isDirectory() === true)
      target = join(output, artifact.name);
    await tickets.fetchArtifact(artifact, target);
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
    `${artifact.name}, ${bytes(artifact.size)}, sha256 ${artifact.sha256}`,
  );
  context.result(target, { path: target, artifact });
}
