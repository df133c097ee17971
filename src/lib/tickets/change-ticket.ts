import type { Problem } from "../domain/error.ts";
import { refused, refusedWith } from "../domain/error.ts";
import { isInFlight } from "../domain/queue.ts";
import { advice, remedy } from "../domain/remedy.ts";
import type { Ticket } from "../domain/ticket.ts";
import type { TicketChange } from "../state/ticket-changes.ts";
import { changeInWords, updateTicket } from "../state/ticket-changes.ts";
import { getTicket } from "../state/tickets.ts";
import { checkImageWishes } from "./image-wishes.ts";
import type { LocalState } from "./local-state.ts";
import { bugUrl, checkNames, checkWords } from "./request-words.ts";
import type { UpdateRequest } from "./ticket-system.ts";

/**
 * Checks what a ticket's image is to be made of, before it is changed.
 *
 * @throws UbuntuCiError (2) with every problem
 */
export async function checkChange(
  state: LocalState,
  ticket: Ticket,
  { add, remove }: UpdateRequest,
): Promise<void> {
  if (add === undefined && remove === undefined) return;
  const problems: Problem[] = [];
  await checkImageWishes(
    state,
    {
      add: add ?? ticket.add,
      remove: remove ?? ticket.remove,
      baseImage: null,
    },
    ticket.series,
    ticket.subtickets.flatMap(({ binaries }) => binaries),
    problems,
  );
  if (problems.length > 0)
    throw refusedWith("the ticket was not changed", problems);
}

/** Changes a ticket, if it may be changed so. */
export function changeTicket(
  { db, actor }: LocalState,
  id: number,
  request: UpdateRequest,
): void {
  const change = changeOf(request);
  db.transaction(() => {
    checkChangeable(getTicket(db, id), request);
    updateTicket(db, id, change, actor);
  }).immediate();
}

/** What changeTicket would change, having checked all that it checks. */
export function planChange(ticket: Ticket, request: UpdateRequest): string[] {
  const change = changeOf(request);
  checkChangeable(ticket, request);
  return changeInWords(change);
}

function changeOf(request: UpdateRequest): TicketChange {
  const problems: Problem[] = [];
  checkWords(request, problems);
  checkNames("--add", request.add ?? [], problems);
  checkNames("--remove", request.remove ?? [], problems);
  const bug =
    request.bug === undefined ? undefined : bugUrl(request.bug, problems);
  if (problems.length > 0)
    throw refusedWith("the ticket was not changed", problems);
  const { title, description, owner, add, remove, priority, eta, hold } =
    request;
  return {
    ...(title !== undefined && { title }),
    ...(description !== undefined && { description }),
    ...(bug !== undefined && { bug }),
    ...(owner !== undefined && { owner }),
    ...(add !== undefined && { add }),
    ...(remove !== undefined && { remove }),
    ...(priority !== undefined && { priority }),
    ...(eta !== undefined && { eta }),
    ...(hold !== undefined && {
      status: hold ? ("held" as const) : ("waiting" as const),
    }),
  };
}

/** Descriptive fields may change at any time; what affects the work only before it has started. */
function checkChangeable(ticket: Ticket, request: UpdateRequest): void {
  const late = (["add", "remove", "priority", "hold"] as const).filter(
    (key) => request[key] !== undefined,
  );
  if (request.hold !== undefined && ticket.set_aside !== null)
    throw refused(
      `ticket ${ticket.id} is set aside: ${ticket.waiting_for ?? ""}`,
      advice`${remedy("explain", [ticket.id])} says what gets it going`,
    );
  if (late.length > 0 && (isInFlight(ticket) || ticket.set_aside !== null)) {
    throw refused(
      `ticket ${ticket.id} has started (${ticket.step.name}): ${late.join(", ")} cannot change any more`,
      "title, description, bug, owner and ETA can",
    );
  }
}
