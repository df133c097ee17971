import { stepOf } from "../../src/lib/domain/step.ts";
import type { Ticket } from "../../src/lib/domain/ticket.ts";

/** A ticket as it is just after it was created, with what matters to a test. */
export function sampleTicket(over: Partial<Ticket> = {}): Ticket {
  return {
    id: 1,
    title: "hello",
    description: "",
    owner: "dev@example.com",
    bug: null,
    series: "bookworm",
    priority: 0,
    created_at: "2026-01-01T00:00:00.000Z",
    updated_at: "2026-01-01T00:00:00.000Z",
    step: stepOf(100),
    status: "waiting",
    ppa: null,
    queue_position: null,
    archive_revision: null,
    undone_by: null,
    eta: null,
    failure: null,
    cancelled: null,
    overrides: [],
    resume_step: null,
    add: [],
    remove: [],
    base_image: null,
    progress: null,
    waiting_for: null,
    set_aside: null,
    pending: null,
    retry_at: null,
    subtickets: [
      {
        id: 1,
        source: "hello",
        version: "1.0",
        step: stepOf(100),
        status: "waiting",
        binaries: ["hello"],
      },
    ],
    runs: [],
    artifacts: [],
    tests: [],
    ...over,
  };
}
