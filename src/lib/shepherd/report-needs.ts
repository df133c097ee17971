import { isOlderThan, withoutMilliseconds } from "../domain/age.ts";
import { explain } from "../domain/explain/explain.ts";
import type { Suggestion } from "../domain/explain/explanation.ts";
import { explainLanding } from "../domain/explain/landing.ts";
import type { WaitingLanding } from "../domain/landing.ts";
import { landingName } from "../domain/landing.ts";
import { remedy } from "../domain/remedy.ts";
import { oneLine } from "../domain/shown-text.ts";
import type { Ticket } from "../domain/ticket.ts";
import { adviceText } from "../host/command-line.ts";
import type { Maintenance } from "../locks/maintenance.ts";
import { maintenanceInWords } from "../locks/maintenance.ts";
import type {
  Need,
  SeriesState,
  ShownCommand,
} from "../report/report-input.ts";
import { failedTickets, heldTickets } from "../state/needs-somebody.ts";
import { findTicket } from "../state/tickets.ts";
import type { LandingSource } from "../tickets/landing-source.ts";
import type { LocalState } from "../tickets/local-state.ts";
import { situationOf } from "../tickets/situation.ts";

/** How many days a ticket that failed is shown as one that needs somebody. */
const failedDays = 90;

/** At most so many of a kind are shown. */
const mostOfAKind = 10;

const dayMs = 24 * 3_600_000;

/** Reasons for people, whose times have no milliseconds. */
export const shownReasons = (because: readonly string[]): string[] =>
  because.map((reason) => withoutMilliseconds(reason));

export const shownCommands = (given: readonly Suggestion[]): ShownCommand[] =>
  given.map(({ command, effect }) => ({
    command: adviceText(command),
    effect: adviceText(effect),
  }));

/** Everything that needs a person now, the most urgent kind first, and how many more there are. */
export function needsOf(
  state: LocalState,
  source: LandingSource,
  maintenance: Maintenance | null,
  nowMs: number,
): { readonly needs: readonly Need[]; readonly more: number } {
  const { db, config } = state;
  const grace = config.get("qa.graceDays") * 24 * 60;
  const since = new Date(nowMs - failedDays * dayMs).toISOString();
  const failed = failedTickets(db, since).reverse();
  const held = heldTickets(db);
  const ofTicket = ({
    id,
    since: at,
  }: {
    id: number;
    since: string;
  }): Need[] => {
    const ticket = findTicket(db, id);
    return ticket === undefined ? [] : [ticketNeed(state, ticket, at)];
  };
  const landings = source.series.flatMap((series) =>
    source
      .waiting(series)
      .filter(
        ({ landing, since: at }) =>
          landing.qa === "bad" || isOlderThan(at, grace, nowMs),
      )
      .map((waiting) => ({ series, waiting })),
  );
  const kinds: (readonly (() => Need[])[])[] = [
    maintenance === null ? [] : [() => [maintenanceNeed(maintenance)]],
    failed.map((one) => () => ofTicket(one)),
    held
      .filter(({ how }) => how === "set-aside")
      .map((one) => () => ofTicket(one)),
    landings.map(({ series, waiting }) => () => [
      landingNeed(source, series, waiting),
    ]),
    held
      .filter(({ how }) => how !== "set-aside")
      .map((one) => () => ofTicket(one)),
  ];
  return {
    needs: kinds.flatMap((kind) =>
      kind.slice(0, mostOfAKind).flatMap((make) => make()),
    ),
    more: kinds.reduce(
      (more, kind) => more + Math.max(0, kind.length - mostOfAKind),
      0,
    ),
  };
}

function ticketNeed(state: LocalState, ticket: Ticket, since: string): Need {
  const { because, commands } = explain(situationOf(state, ticket));
  const { status, failure } = ticket;
  return {
    kind: failure !== null && status === "failed" ? failure.kind : status,
    what: `ticket ${ticket.id}: ${oneLine(ticket.title)}`,
    page: `tickets/${ticket.id}`,
    since,
    owner: ticket.owner,
    reasons: shownReasons(because),
    commands: shownCommands(commands.slice(0, 2)),
  };
}

function landingNeed(
  source: LandingSource,
  series: string,
  { landing, since }: WaitingLanding,
): Need {
  const { because, commands } = explainLanding(
    landing,
    source.status(series),
    landing,
    source.lastVerdict(landing),
  );
  return {
    kind: landing.qa,
    what: `${landingName(landing)} of ${series}: ${landing.sources.map(({ source: name, version }) => `${name} ${version}`).join(", ")}`,
    page: landing.ticket === null ? "landings" : `tickets/${landing.ticket}`,
    since,
    owner: landing.owner,
    reasons: shownReasons(because),
    commands: shownCommands(commands.slice(0, 2)),
  };
}

function maintenanceNeed(maintenance: Maintenance): Need {
  return {
    kind: "maintenance",
    what: "nothing that changes something starts",
    page: "health",
    since: maintenance.since,
    owner: maintenance.by,
    reasons: shownReasons([
      `maintenance is ${maintenanceInWords(maintenance)}`,
    ]),
    commands: shownCommands([
      { command: remedy("maintenance off"), effect: "ends it" },
    ]),
  };
}

/** What may be deployed of each series in which something landed, and why not more. */
export function seriesStates(source: LandingSource): SeriesState[] {
  return source.series.flatMap((series) => {
    const [newest] = source.list(series, { above: 0, limit: 1 });
    if (newest === undefined) return [];
    const status = source.status(series);
    const blocker =
      status.blocked_by === null
        ? undefined
        : source
            .at(status.blocked_by)
            .find((landing) => landing.series === series);
    const { because, commands } = explainLanding(
      blocker ?? newest,
      status,
      blocker ?? null,
      source.lastVerdict(blocker ?? newest),
    );
    return [
      {
        ...status,
        newest,
        blocker: blocker ?? null,
        because: shownReasons(because),
        commands: shownCommands(commands),
      },
    ];
  });
}
