import { randomUUID } from "node:crypto";

import type { Delivery, Mailer } from "../clients/mail/mailer.ts";
import { openMailer } from "../clients/mail/mailer.ts";
import { messageOf, UbuntuCiError } from "../domain/error.ts";
import type { Unmailable } from "../domain/reminder.ts";
import { unmailableInWords } from "../domain/reminder.ts";
import { crashPoint } from "../files/crash-point.ts";
import type { UnsentNotification } from "../state/notifications.ts";
import {
  endNotification,
  recordIntents,
  recordTrouble,
  unsentNotifications,
} from "../state/notifications.ts";
import type { Reminding } from "./plan-reminders.ts";
import { planReminders } from "./plan-reminders.ts";

/** A mail that a pass has tried to send. */
interface TriedMail {
  readonly to: string;
  readonly subject: string;
  readonly message_id: string;
}

/** A mail that was not sent. */
interface UnsentMail extends TriedMail {
  readonly reason: string;
}

/** What a pass has done. */
export interface Reminded {
  /** Whether the configuration says how mail is sent; if not, nothing was done. */
  readonly configured: boolean;
  readonly sent: readonly TriedMail[];
  /** Mails that will never be taken: they are given up. */
  readonly refused: readonly UnsentMail[];
  /** What owners are not told, because no mail can go to their address. */
  readonly unmailable: readonly Unmailable[];
  /** Mails that were not taken just now: the next pass tries again. */
  readonly later: readonly UnsentMail[];
}

/**
 * Sends what an earlier pass has left, then plans, records and sends what is due. A mail is recorded before
 * it is sent, and that it was sent afterwards: after a crash it is sent again with the same Message-ID.
 *
 * @throws UbuntuCiError (75) when no mail can be sent just now, (78) when the configuration is wrong
 */
export async function remind(
  reminding: Reminding,
  signal: AbortSignal,
): Promise<Reminded> {
  const { db, config } = reminding;
  const mailer = await openMailer(config);
  const pass = {
    sent: [] as TriedMail[],
    refused: [] as UnsentMail[],
    later: [] as UnsentMail[],
    unmailable: [] as readonly Unmailable[],
  };
  if (mailer === null) return { configured: false, ...pass };
  const tried = new Set<number>();
  const sendAll = async () => {
    for (const mail of unsentNotifications(db)) {
      if (signal.aborted) return;
      if (tried.has(mail.id)) continue;
      tried.add(mail.id);
      const { recipient: to, subject, message_id } = mail;
      const delivery = await send(reminding, mailer, mail);
      const one = { to, subject, message_id };
      if (delivery.outcome === "sent") pass.sent.push(one);
      else pass[delivery.outcome].push({ ...one, reason: delivery.reason });
    }
  };
  await sendAll();
  const { plan, told, newlyUnmailable, from, event } =
    await planReminders(reminding);
  pass.unmailable = plan.unmailable;
  const host = mailer.from.address.replace(/^.*@/, "");
  const mails = plan.mails.map(({ to, ...mail }) => ({
    ...mail,
    recipient: to,
    message_id: `<${randomUUID()}@${host}>`,
  }));
  const isNews = mails.length > 0 || told.length > 0 || from.event !== event;
  // Another pass, which has recorded what is due meanwhile, sends it, too.
  const noted = newlyUnmailable.map((one) => ({
    actor: reminding.actor,
    subject: "reminder" as const,
    subject_id: one.to,
    what: "not sent",
    why: unmailableInWords(one),
  }));
  if (isNews && !recordIntents(db, from, event, mails, told, noted))
    return { configured: true, ...pass };
  crashPoint("reminder.intended");
  await sendAll();
  return { configured: true, ...pass };
}

/** Sends one mail, and records what became of it. When no mail can be sent, that is recorded with this one. */
async function send(
  { db, actor }: Reminding,
  mailer: Mailer,
  mail: UnsentNotification,
): Promise<Delivery> {
  let delivery: Delivery;
  try {
    delivery = await mailer.send({
      messageId: mail.message_id,
      from: mailer.from,
      to: mail.recipient,
      subject: mail.subject,
      text: mail.text,
      html: mail.html,
      date: mail.intended_at,
    });
  } catch (thrown) {
    if (thrown instanceof UbuntuCiError)
      recordTrouble(db, mail, messageOf(thrown), actor);
    throw thrown;
  }
  crashPoint("reminder.delivered");
  switch (delivery.outcome) {
    case "sent":
      endNotification(db, mail, "sent", null, actor);
      break;
    case "refused":
      endNotification(db, mail, "refused", delivery.reason, actor);
      break;
    case "later":
      recordTrouble(db, mail, delivery.reason, actor);
      break;
  }
  return delivery;
}
