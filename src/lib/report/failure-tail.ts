import { open } from "node:fs/promises";

import type { FileRef, Ticket } from "../domain/ticket.ts";
import { ifExists } from "../files/optional-file.ts";

/** How much of the end of a log is shown, in bytes. */
const tailBytes = 6000;

/** The end of the log that shows why a ticket failed. */
export async function failureTail(
  ticket: Ticket,
  pathOf: (at: FileRef) => string,
): Promise<string | null> {
  const log = ticket.artifacts.find(
    ({ name }) => name === ticket.failure?.artifact,
  );
  if (log === undefined) return null;
  const file = await ifExists(open(pathOf(log)));
  if (file === undefined) return null;
  try {
    const { size } = await file.stat();
    const length = Math.min(size, tailBytes);
    const { buffer } = await file.read(
      Buffer.alloc(length),
      0,
      length,
      size - length,
    );
    const text = buffer.toString("utf8");
    return size > length ? text.slice(text.indexOf("\n") + 1) : text;
  } finally {
    await file.close();
  }
}
