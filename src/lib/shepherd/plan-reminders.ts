import type { LocalStore } from "../backends/store/store.ts";
import { misconfigured } from "../domain/error.ts";
import { matchesGlob } from "../domain/glob.ts";
import { isMailAddress } from "../domain/mailbox.ts";
import type { Plan } from "../domain/plan.ts";
import { redact, secretsOf } from "../domain/redact.ts";
import type {
  Letter,
  Matter,
  OwnersMatter,
  Told,
  Unmailable,
} from "../domain/reminder.ts";
import {
  addressKey,
  dueReminders,
  unmailableInWords,
} from "../domain/reminder.ts";
import { shownText } from "../domain/shown-text.ts";
import type { Ticket } from "../domain/ticket.ts";
import { failureTail } from "../report/failure-tail.ts";
import { newestEvent } from "../state/log-export.ts";
import { failedTickets, heldTickets } from "../state/needs-somebody.ts";
import type { RemindersSoFar } from "../state/notifications.ts";
import {
  eventBefore,
  listTold,
  remindersSoFar,
  ticketsEndedSince,
  unsentNotifications,
} from "../state/notifications.ts";
import { findTicket } from "../state/tickets.ts";
import { landingSource } from "../tickets/landing-source.ts";
import type { Installed } from "../tickets/local-state.ts";
import type { WrittenLetter } from "./reminder-mail.ts";
import { letterWriter } from "./reminder-mail.ts";
import {
  failedMatter,
  mattersOfList,
  mattersOfOwners,
  publishedMatter,
} from "./reminder-matters.ts";

/** An installation, and its files. */
export interface Reminding extends Installed {
  readonly store: () => Promise<LocalStore>;
}

/** The mails of a pass. */
export interface RemindPlan extends Plan {
  /** Mails that an earlier pass could not send. */
  readonly again: readonly { readonly to: string; readonly subject: string }[];
  readonly mails: readonly WrittenLetter[];
  /** What owners are not told, because no mail can go to their address. */
  readonly unmailable: readonly Unmailable[];
}

/** A plan, and what recording it needs. */
export interface PlannedReminders {
  readonly plan: RemindPlan;
  readonly told: readonly Told[];
  /** Those of the unmailable of whom the history does not tell yet. */
  readonly newlyUnmailable: readonly Unmailable[];
  /** What it was planned from, and the newest event that it knows. */
  readonly from: RemindersSoFar;
  readonly event: number;
}

/** How many hours the first pass looks back for what happened to tickets. */
const firstPassHours = 24;

/** Topic under which it is remembered that the history tells of an unmailable address. */
const unmailableTopic = "unmailable";

/** How many days the list is told of a ticket that failed. */
const failedDays = 90;

const hourMs = 3_600_000;

/**
 * Plans the mails that are due now. Changes nothing.
 *
 * @throws UbuntuCiError (78) when the list has no address, or the source of landings cannot be read
 */
export async function planReminders(
  reminding: Reminding,
): Promise<PlannedReminders> {
  const { db, config } = reminding;
  const list = config.get("remind.list");
  if (list !== null && !isMailAddress(list))
    throw misconfigured(
      `remind.list is ${JSON.stringify(list)}, which is no address`,
      "set it to the address of a mailing list or a person",
    );
  const source = await landingSource(reminding);
  const nowMs = Date.now();
  const isExcepted = (address: string) =>
    config
      .get("remind.except")
      .some((glob) => matchesGlob(addressKey(glob), addressKey(address)));
  // All of it is read from one state of the database.
  const found = db.transaction(() => {
    const from = remindersSoFar(db);
    const event = newestEvent(db);
    const since =
      from.event ??
      eventBefore(db, new Date(nowMs - firstPassHours * hourMs).toISOString());
    const unsent = unsentNotifications(db);
    const waiting = source.series.flatMap((series) => source.waiting(series));
    const ended = ticketsEndedSince(db, since).flatMap(
      (id) => findTicket(db, id) ?? [],
    );
    const failed = ended.filter(({ status }) => status === "failed");
    const published = ended.filter(({ status }) => status === "done");
    const waitingFor = new Set(
      unsent.map(({ recipient }) => addressKey(recipient)),
    );
    const of = (
      tickets: readonly Ticket[],
      matter: (ticket: Ticket) => Matter,
    ): OwnersMatter[] =>
      tickets.map((ticket) => ({
        owner: ticket.owner,
        matter: matter(ticket),
      }));
    const news = {
      failed: config.get("remind.failed") ? of(failed, failedMatter) : [],
      published: config.get("remind.published")
        ? of(published, (ticket) =>
            publishedMatter(
              ticket,
              waiting.find(
                ({ landing }) =>
                  landing.ticket === ticket.id &&
                  landing.qa === "needs-testing",
              ),
            ),
          )
        : [],
      testing: mattersOfOwners(waiting),
    };
    const told = listTold(db);
    const failedSince = new Date(nowMs - failedDays * 24 * hourMs);
    const reminders = dueReminders({
      nowMs,
      hour: config.get("remind.hour"),
      ...news,
      list,
      needsSomebody: mattersOfList(
        {
          waiting,
          failed: failedTickets(db, failedSince.toISOString()),
          held: heldTickets(db),
        },
        config.get("qa.graceDays"),
        nowMs,
      ),
      told,
      mayGet: (address) => isMailAddress(address) && !isExcepted(address),
      isWaiting: (address) => waitingFor.has(addressKey(address)),
    });
    const unmailable = Object.values(news)
      .flat()
      // What is told as published needs no second mention.
      .filter(
        ({ matter: { topic } }, index, all) =>
          all.findIndex(({ matter }) => matter.topic === topic) === index,
      )
      .filter(({ owner }) => !isMailAddress(owner) && !isExcepted(owner));
    return { from, event, unsent, failed, reminders, unmailable, told };
  })();
  const { from, event, unsent, reminders } = found;
  const letters = await withLogs(reminding, reminders.letters, found.failed);
  const write =
    letters.length === 0
      ? undefined
      : letterWriter(config.get("report.title"), new Date(nowMs).toISOString());
  const mails = letters.flatMap((letter) => write?.(letter) ?? []);
  const again = unsent.map(({ recipient: to, subject }) => ({ to, subject }));
  const unmailable = found.unmailable.map(({ owner, matter }) => ({
    to: owner,
    words: matter.words,
  }));
  const plan: RemindPlan = {
    command: "remind",
    actions: [
      ...again.map(({ to, subject }) => `send again to ${to}: ${subject}`),
      ...mails.map(({ to, subject }) => `send to ${to}: ${subject}`),
      ...unmailable.map(unmailableInWords),
    ],
    again,
    mails,
    unmailable,
  };
  const known = new Set(
    found.told
      .filter(({ topic }) => topic === unmailableTopic)
      .map(({ recipient }) => recipient),
  );
  const newlyUnmailable = unmailable.filter(({ to }, index) => {
    const isFirst = unmailable.findIndex((one) => one.to === to) === index;
    return isFirst && !known.has(to);
  });
  const told = [
    ...reminders.told,
    ...newlyUnmailable.map(({ to }) => ({
      recipient: to,
      topic: unmailableTopic,
      times: 1,
      told_at: new Date(nowMs).toISOString(),
    })),
  ];
  return { plan, told, newlyUnmailable, from, event };
}

/** How much of a log a mail shows. */
const tailLines = 12;

/** Adds the ends of the logs of failed tickets. */
async function withLogs(
  { store }: Reminding,
  letters: readonly Letter[],
  failed: readonly Ticket[],
): Promise<Letter[]> {
  const tails = new Map<string, readonly string[]>();
  for (const ticket of failed) {
    const opened = await store();
    const tail = await failureTail(ticket, (at) => opened.pathOf(at));
    if (tail === null) continue;
    const lines = redact(shownText(tail), secretsOf(process.env))
      .trimEnd()
      .split("\n");
    tails.set(failedMatter(ticket).topic, [
      "",
      ...lines.slice(-tailLines).map((line) => line.slice(0, 500)),
    ]);
  }
  return letters.map(({ to, parts }) => ({
    to,
    parts: parts.map(({ kind, matters }) => ({
      kind,
      matters: matters.map((matter) => ({
        ...matter,
        details: [...matter.details, ...(tails.get(matter.topic) ?? [])],
      })),
    })),
  }));
}
