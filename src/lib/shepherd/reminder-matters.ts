import { isOlderThan, withoutMilliseconds } from "../domain/age.ts";
import { showing } from "../domain/explain/explanation.ts";
import type { WaitingLanding } from "../domain/landing.ts";
import { landingName } from "../domain/landing.ts";
import type { Matter, OwnersMatter } from "../domain/reminder.ts";
import { remedy } from "../domain/remedy.ts";
import { oneLine } from "../domain/shown-text.ts";
import { stepOf } from "../domain/step.ts";
import type { Ticket } from "../domain/ticket.ts";
import { publishedInWords } from "../domain/ticket.ts";
import type { heldTickets, StuckTicket } from "../state/needs-somebody.ts";

/** Characters of a person's text that a line of a mail shows. */
const longest = 200;

const short = (text: string) => {
  const line = oneLine(text);
  return line.length > longest ? `${line.slice(0, longest)}…` : line;
};

const why = (ticket: number) => ({
  command: remedy("explain", [ticket]),
  effect: "says why, and what helps",
});

/** A ticket that failed, for its owner. The end of its log is added when the mail is written. */
export function failedMatter(ticket: Ticket): Matter {
  const { id, title, failure } = ticket;
  const blame =
    failure?.kind === "infrastructure"
      ? "infrastructure is to blame"
      : "the package is at fault";
  return {
    topic: `failed ${id} ${ticket.updated_at}`,
    words: `ticket ${id} failed${failure === null ? "" : ` at ${failure.step.name}`}: ${short(title)}`,
    details: failure === null ? [] : [`${blame}: ${short(failure.reason)}`],
    commands: [
      ...(failure?.artifact == null
        ? []
        : [
            {
              command: showing(ticket, failure.artifact),
              effect: "prints the whole log",
            },
          ]),
      why(id),
    ],
  };
}

/** A ticket that is published, for its owner. @param waiting its landing, if that needs testing */
export function publishedMatter(
  ticket: Ticket,
  waiting: WaitingLanding | undefined,
): Matter {
  const { id, title, subtickets } = ticket;
  const sources = subtickets.map(
    ({ source, version }) => `${source} ${version}`,
  );
  const at = publishedInWords(ticket);
  const tested = waiting === undefined ? undefined : testingMatter(waiting);
  return {
    topic: tested?.topic ?? `published ${id}`,
    words: `ticket ${id} is published${at === null ? "" : ` as ${at}`}: ${short(title)}`,
    details: [
      short(sources.join(", ")),
      ...(tested === undefined ? [] : ["it needs testing"]),
    ],
    commands: tested?.commands ?? [],
  };
}

/** A landing that needs testing, for its owner. */
export function testingMatter({ landing, since }: WaitingLanding): Matter {
  const { series, revision } = landing;
  return {
    topic: `testing ${series} ${revision} ${since}`,
    words: `${short(landingName(landing))} of ${series} needs testing`,
    details: [`since ${withoutMilliseconds(since)}`],
    commands: [
      {
        command: remedy("qa", [revision, "ok"], { note: "TEXT" }),
        effect: "says that you tried it, and it works",
      },
      {
        command: remedy("qa", [revision, "bad"], { note: "TEXT" }),
        effect: "says that it does not",
      },
    ],
  };
}

const isToBeTested = ({ landing }: WaitingLanding) =>
  landing.qa === "needs-testing";

/** What each owner has to test: of tickets, and of commits. What operators took out of the archive is nobody's. */
export function mattersOfOwners(
  waiting: readonly WaitingLanding[],
): OwnersMatter[] {
  return waiting
    .filter(isToBeTested)
    .filter(
      ({ landing }) => landing.ticket !== null || landing.commit !== undefined,
    )
    .map((one) => ({ owner: one.landing.owner, matter: testingMatter(one) }));
}

/** What the list is told of. */
export interface Stuck {
  readonly waiting: readonly WaitingLanding[];
  readonly failed: readonly StuckTicket[];
  readonly held: ReturnType<typeof heldTickets>;
}

/** What needs somebody: at once, or after days of grace where it may be as it should. */
export function mattersOfList(
  { waiting, failed, held }: Stuck,
  graceDays: number,
  nowMs: number,
): Matter[] {
  const isOverdue = ({ since }: { readonly since: string }) =>
    isOlderThan(since, graceDays * 24 * 60, nowMs);
  return [
    ...waiting
      .filter((one) => !isToBeTested(one) || isOverdue(one))
      .map(doubtfulMatter),
    ...failed.map((ticket) => stuckMatter(ticket, "failed at STEP")),
    ...held
      .filter((ticket) => ticket.how === "set-aside" || isOverdue(ticket))
      .map((ticket) => stuckMatter(ticket, heldInWords[ticket.how])),
  ];
}

function doubtfulMatter({ landing, since }: WaitingLanding): Matter {
  const { series, revision, qa, owner, note } = landing;
  const explain = remedy("explain", [], { landing: String(revision) });
  return {
    topic: `${qa} ${series} ${revision} ${since}`,
    words: `${short(landingName(landing))} of ${series} ${qa === "bad" ? "is bad" : "has waited too long to be tested"}`,
    details: [
      `since ${withoutMilliseconds(since)}, owner ${owner}`,
      ...(note === null ? [] : [short(note)]),
    ],
    commands: [
      { command: explain, effect: "says what it blocks, and what helps" },
    ],
  };
}

const heldInWords = {
  "set-aside": "is set aside at STEP",
  held: "is held",
  draft: "was never queued",
} as const;

function stuckMatter(ticket: StuckTicket, words: string): Matter {
  const { id, title, owner, step, since, reason } = ticket;
  return {
    topic: `${words} ${id} ${since}`,
    words: `ticket ${id} ${words.replace("STEP", stepOf(step).name)}: ${short(title)}`,
    details: [
      `since ${withoutMilliseconds(since)}, owner ${owner}`,
      ...(reason === null ? [] : [short(reason)]),
    ],
    commands: [why(id)],
  };
}
