import type { Artifact, FileRef, Ticket } from "../domain/ticket.ts";

/** A ticket as JSON documents have it: the stable shape other programs rely on. */
export interface TicketDocument extends Ticket {
  readonly artifacts: readonly ArtifactDocument[];
}

/** An artifact as JSON documents have it; url is null where nobody is shown the file. */
export interface ArtifactDocument extends Artifact {
  readonly url: string | null;
}

/**
 * A ticket as JSON documents have it.
 *
 * @param urlOf where a file can be read by who reads the document, or null
 */
export function ticketDocument(
  ticket: Ticket,
  urlOf: (at: FileRef) => string | null,
): TicketDocument {
  return {
    ...ticket,
    artifacts: ticket.artifacts.map((artifact) => ({
      ...artifact,
      url: artifact.expired_at === null ? urlOf(artifact) : null,
    })),
  };
}
