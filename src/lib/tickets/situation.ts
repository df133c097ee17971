import type { Situation } from "../domain/explain/situation.ts";
import { isMailAddress } from "../domain/mailbox.ts";
import { hasEnded } from "../domain/step.ts";
import type { Ticket } from "../domain/ticket.ts";
import { missingRoom } from "../engine/disk-reserve.ts";
import { machineArchitecture } from "../host/architecture.ts";
import { readMaintenance } from "../locks/maintenance.ts";
import { holdOf } from "../state/events.ts";
import { listPpas } from "../state/ppas.ts";
import { queueBefore, ticketsInFlight } from "../state/queue.ts";
import { imageOf } from "../state/images.ts";
import { workerOf } from "../state/leases.ts";
import { remedyOf } from "../state/tickets.ts";
import type { LocalState } from "./local-state.ts";

/** All that decides where a ticket is, from the state and the machine as they are now. */
export function situationOf(
  { db, paths, config }: LocalState,
  ticket: Ticket,
): Situation {
  // What has ended depends on nothing around it.
  const isOpen = !hasEnded(ticket.step.code);
  return {
    nowMs: Date.now(),
    ticket,
    maintenance: readMaintenance(paths.maintenance),
    missingRoom: isOpen ? missingRoom({ paths, config }) : null,
    concurrency: config.get("concurrency"),
    inFlight: isOpen
      ? ticketsInFlight(db).filter(({ id }) => id !== ticket.id)
      : [],
    ahead: isOpen ? queueBefore(db, ticket.id) : [],
    pool: isOpen ? listPpas(db) : [],
    poolPrefix: config.get("ppa.prefix"),
    worker: isOpen ? workerOf(db, ticket.id) : null,
    held: ticket.status === "held" ? holdOf(db, ticket.id) : null,
    ownerIsUnmailable:
      !isMailAddress(ticket.owner) &&
      (config.get("mail.smtp") ?? config.get("mail.sendmail")) !== null,
    hasImage: isOpen && imageOf(db, ticket.id) !== null,
    architecture: machineArchitecture(),
    missing: isOpen ? remedyOf(db, ticket.id) : null,
  };
}
