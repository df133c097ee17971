import { hasEnded } from "../domain/step.ts";
import type { Ticket } from "../domain/ticket.ts";
import type { Engine } from "../engine/engine.ts";
import { now } from "../host/clock.ts";
import { machineArchitecture } from "../host/architecture.ts";
import { crashPoint } from "../files/crash-point.ts";
import { getTicket, ticketPages } from "../state/tickets.ts";
import { ticketDocument } from "./ticket-document.ts";
import type { TicketDocument } from "./ticket-document.ts";
import type { LocalState } from "./local-state.ts";
import type { TicketSystem } from "./ticket-system.ts";

/**
 * The ticket system of this machine's own state folder.
 *
 * @param state its engine is made when what works on tickets is asked for
 */
export function localTicketSystem(
  state: LocalState & { readonly engine: () => Promise<Engine> },
): TicketSystem {
  const { db } = state;
  const get = async (id: number): Promise<TicketDocument> =>
    (await documents([getTicket(db, id)]))[0] as TicketDocument;

  /** Tickets as they are shown. */
  async function documents(
    tickets: readonly Ticket[],
  ): Promise<TicketDocument[]> {
    const store = await state.store();
    const shown = await withExpected(tickets);
    return shown.map((ticket) =>
      ticketDocument(ticket, (at) => store.urlOf(at)),
    );
  }

  async function withExpected(tickets: readonly Ticket[]): Promise<Ticket[]> {
    const open = tickets.some(
      ({ step, status }) =>
        !hasEnded(step.code) &&
        !["held", "draft", "set-aside"].includes(status),
    );
    const expected = open
      ? (await import("./expected-of.ts")).expectedOf(state)
      : undefined;
    return tickets.map((ticket) => ({
      ...ticket,
      expected: expected?.get(ticket.id) ?? null,
    }));
  }

  const distribution = async () =>
    (await state.engine()).backends.distribution();

  return {
    get,

    async explain(id) {
      const { explain } = await import("../domain/explain/explain.ts");
      const { situationOf } = await import("./situation.ts");
      return explain(situationOf(state, await get(id)));
    },

    async *list({ step, owner, open, newest }) {
      const pages = ticketPages(db, {
        ...(step !== undefined && { step: step.code }),
        ...(owner !== undefined && { owner }),
        ...(open !== undefined && { open }),
        ...(newest !== undefined && { newest }),
      });
      for (const tickets of pages) yield await documents(tickets);
    },

    async planCreate(request) {
      const { planCreateTicket } = await import("./create-ticket.ts");
      return planCreateTicket({ ...state, distribution }, request);
    },

    async create(request) {
      const { createTicket } = await import("./create-ticket.ts");
      const id = await createTicket({ ...state, distribution }, request);
      crashPoint("ticket.created");
      return get(id);
    },

    async planUpdate(id, request) {
      const { checkChange, planChange } = await import("./change-ticket.ts");
      const ticket = await get(id);
      const actions = planChange(ticket, request);
      await checkChange(state, ticket, request);
      return { ticket: id, command: "update_ticket", actions };
    },

    async update(id, request) {
      const { changeTicket, checkChange } = await import("./change-ticket.ts");
      await checkChange(state, getTicket(db, id), request);
      changeTicket(state, id, request);
      return get(id);
    },

    async planCancel(id) {
      const { planCancel } = await import("../domain/cancel.ts");
      return planCancel(await get(id));
    },

    async cancel(id, reason) {
      const { cancel } = await import("../engine/cancel.ts");
      return cancel(await state.engine(), id, reason);
    },

    async awaitCancelled(id, waitMs, signal) {
      const { awaitCancelled } = await import("../engine/cancel.ts");
      const engine = await state.engine();
      const ticket = await awaitCancelled(engine, id, waitMs, signal);
      return ticketDocument(ticket, (at) => engine.store.urlOf(at));
    },

    async planRetry(id, from) {
      const { planRetryOf } = await import("../engine/retry.ts");
      return planRetryOf(await state.engine(), id, from);
    },

    async retry(id, from) {
      const { retry } = await import("../engine/retry.ts");
      return retry(await state.engine(), id, from);
    },

    async planOverride(id, target, until) {
      const { planOverride } = await import("../domain/override.ts");
      return planOverride(
        await get(id),
        target,
        machineArchitecture(),
        until,
        now(),
      );
    },

    async override(id, target, reason, until) {
      const { override } = await import("../engine/override.ts");
      return override(await state.engine(), id, target, reason, until);
    },

    async planUndo(id, wanted) {
      const { overrideToUndo } = await import("../domain/override.ts");
      return overrideToUndo(await get(id), wanted);
    },

    async undo(id, wanted) {
      const { undo } = await import("../engine/override.ts");
      return undo(await state.engine(), id, wanted);
    },

    async landings(request) {
      return (await import("./local-landings.ts")).reportLandings(
        state,
        request,
      );
    },

    async planQa(revision, verdict) {
      return (await import("./local-landings.ts")).planQa(
        state,
        revision,
        verdict,
      );
    },

    async qa(revision, verdict) {
      return (await import("./local-landings.ts")).recordQa(
        state,
        revision,
        verdict,
      );
    },

    async explainLanding(revision) {
      return (await import("./local-landings.ts")).explainLanding(
        state,
        revision,
      );
    },

    async history(request) {
      if (request.ticket !== undefined) await get(request.ticket);
      const { readHistory } = await import("./history.ts");
      return readHistory(state, request);
    },

    async *follow(request, signal) {
      if (request.ticket !== undefined) await get(request.ticket);
      const { followHistory } = await import("./history.ts");
      yield* followHistory(state, request, signal);
    },

    async fetchArtifact(artifact, destination) {
      const store = await state.store();
      await store.fetch(artifact, destination, artifact.sha256);
    },
  };
}
