import { isCompressed } from "../domain/compressed-name.ts";
import type { FileRef, Ticket } from "../domain/ticket.ts";
import { isDamagedGzip, readEnd, readEndUnpacked } from "../files/gzip-file.ts";
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
  const read = isCompressed(log.name) ? readEndUnpacked : readEnd;
  const end = await ifExists(read(pathOf(log), tailBytes)).catch(
    (thrown: unknown) => {
      // fsck tells of a damaged file; everything else is shown all the same.
      if (isDamagedGzip(thrown)) return undefined;
      throw thrown;
    },
  );
  if (end === undefined) return null;
  const text = end.bytes.toString("utf8");
  return end.isAll ? text : text.slice(text.indexOf("\n") + 1);
}
