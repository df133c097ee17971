import { expect, test } from "vitest";

import { sampleTicket } from "../../../test/support/ticket.ts";
import { ticketDocument } from "./ticket-document.ts";

const artifact = (name: string, expired_at: string | null) => ({
  container: "ticket.1",
  name,
  type: "LOGS" as const,
  size: 5,
  sha256: "0".repeat(64),
  expired_at,
  subticket: null,
});

test("names files by container and name, with their address while they are there", () => {
  const ticket = sampleTicket({
    artifacts: [
      artifact("a.log", null),
      artifact("old.log", "2026-01-01T00:00:00.000Z"),
    ],
  });
  const shown = ticketDocument(
    ticket,
    ({ container, name }) => `https://example.org/${container}/${name}`,
  );
  expect(shown).toEqual({
    ...ticket,
    artifacts: [
      {
        ...ticket.artifacts[0],
        url: "https://example.org/ticket.1/a.log",
      },
      { ...ticket.artifacts[1], url: null },
    ],
  });
  const [first] = ticketDocument(ticket, () => null).artifacts;
  expect(first).toHaveProperty("url", null);
});
