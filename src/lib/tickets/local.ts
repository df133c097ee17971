import { basename, dirname } from "node:path";

import { refused } from "../domain/error.ts";
import type { Ticket } from "../domain/ticket.ts";
import { crashPoint } from "../host/crash-point.ts";
import { findTicket, listTickets } from "../state/tickets.ts";
import type { LocalState } from "./local-state.ts";
import type { ListRequest, TicketSystem } from "./ticket-system.ts";

/** The ticket system of this machine's own state folder. */
export function localTicketSystem(state: LocalState): TicketSystem {
  const { db, paths } = state;
  const get = async (id: number): Promise<Ticket> => {
    const ticket = findTicket(db, id, paths.store);
    if (ticket === undefined)
      throw refused(
        `there is no ticket ${id}`,
        "`ubuntu-ci status` lists them",
      );
    const [found = ticket] = await withExpected([ticket]);
    return found;
  };

  async function withExpected(tickets: readonly Ticket[]): Promise<Ticket[]> {
    const open = tickets.some(
      ({ step, status }) => step.code < 999 && status !== "held",
    );
    const expected = open
      ? (await import("./expected-of.ts")).expectedOf(state)
      : undefined;
    return tickets.map((ticket) => ({
      ...ticket,
      expected: expected?.get(ticket.id) ?? null,
    }));
  }

  return {
    get,

    async explain(id) {
      const { explain } = await import("../domain/explain/explain.ts");
      const { situationOf } = await import("./situation.ts");
      return explain(situationOf(state, await get(id)));
    },

    list: (request: ListRequest) =>
      withExpected(
        listTickets(
          db,
          {
            ...(request.step !== undefined && { step: request.step.code }),
            ...(request.owner !== undefined && { owner: request.owner }),
            ...(request.open !== undefined && { open: request.open }),
          },
          paths.store,
        ),
      ),

    async planCreate(request) {
      const { planCreateTicket } = await import("./local-changes.ts");
      return planCreateTicket(state, request);
    },

    async create(request) {
      const { createTicket } = await import("./local-changes.ts");
      const id = await createTicket(state, request);
      crashPoint("ticket.created");
      return get(id);
    },

    async planUpdate(id, request) {
      const { planChange } = await import("./local-changes.ts");
      const actions = planChange(await get(id), request);
      return { ticket: id, command: "update_ticket", actions };
    },

    async update(id, request) {
      const { changeTicket } = await import("./local-changes.ts");
      changeTicket(state, id, request);
      return get(id);
    },

    async fetchArtifact(artifact, destination) {
      const { localStore } = await import("../backends/store/local-store.ts");
      const container = basename(dirname(artifact.path));
      await localStore(paths.store).getFile(
        container,
        artifact.name,
        destination,
        artifact.sha256,
      );
    },

    close: () => db.close(),
  };
}
