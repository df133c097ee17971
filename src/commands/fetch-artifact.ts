import { createReadStream, statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

import { messageOf, refused } from "../lib/domain/error.ts";
import type { Artifact } from "../lib/domain/ticket.ts";
import type { TicketSystem } from "../lib/tickets/ticket-system.ts";
import type { CommandContext } from "./context.ts";
import { bytes } from "./ticket-text.ts";

/** Fetches an artifact to a file, into a folder, or to standard output (`-`), with progress on a terminal. */
export async function fetchTo(
  context: CommandContext,
  tickets: TicketSystem,
  artifact: Artifact,
  output: string,
): Promise<void> {
  if (output === "-") {
    // Nothing may be shown before the digest of all of it was found right.
    const folder = await mkdtemp(join(tmpdir(), "ubuntu-ci-"));
    try {
      const file = join(folder, "artifact");
      await tickets.fetchArtifact(artifact, file);
      await pipeline(createReadStream(file), process.stdout, { end: false });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    return;
  }
  const target =
    statSync(output, { throwIfNoEntry: false })?.isDirectory() === true
      ? join(output, artifact.name)
      : output;
  if (artifact.size > 20_000_000)
    context.say(`fetching ${artifact.name}, ${bytes(artifact.size)} …`);
  try {
    await tickets.fetchArtifact(artifact, target);
  } catch (thrown) {
    if (
      ["EACCES", "ENOENT", "ENOTDIR", "EROFS"].includes(
        (thrown as NodeJS.ErrnoException).code ?? "",
      )
    ) {
      throw refused(
        `${target} cannot be written: ${messageOf(thrown)}`,
        "name another place with --output",
      );
    }
    throw thrown;
  }
  context.say(
    `${artifact.name}, ${bytes(artifact.size)}, sha256 ${artifact.sha256}`,
  );
  context.result(target, { path: target, artifact });
}
