import { createTransport } from "nodemailer";

import {
  messageOf as reasonOf,
  misconfigured,
  notNow,
} from "../../domain/error.ts";
import type { Mailbox } from "../../domain/mailbox.ts";
import { messageOf } from "./message.ts";
import type { Credentials, Delivery, Mailer, MailServer } from "./mailer.ts";

const timeoutMs = 30_000;

/** Sends mail through a server. */
export function smtpMailer(
  { host, port, secure }: MailServer,
  credentials: Credentials | null,
  from: Mailbox,
): Mailer {
  const where = `${host}:${port}`;
  const transport = createTransport({
    host,
    port,
    secure,
    // A password never goes over the network in clear text.
    ...(credentials !== null && {
      auth: { ...credentials },
      requireTLS: !isLoopback(host),
    }),
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
  });
  return {
    from,
    async send(mail) {
      try {
        await transport.sendMail(messageOf(mail));
        return { outcome: "sent" };
      } catch (thrown) {
        return deliveryAfter(thrown, where);
      }
    },
  };
}

const isLoopback = (host: string) =>
  /^(?:localhost|127\.[\d.]+|::1)$/.test(host);

/** What a failure means for the mail. @throws UbuntuCiError (75, 78) when it concerns every mail */
function deliveryAfter(thrown: unknown, where: string): Delivery {
  const {
    code,
    responseCode: reply,
    command,
  } = thrown as {
    readonly code?: string;
    readonly responseCode?: number;
    readonly command?: string;
  };
  const reason = reasonOf(thrown);
  if (code === "EAUTH" || reply === 535)
    throw misconfigured(
      `the mail server ${where} does not know us: ${reason}`,
      "correct mail.user and the password in mail.passwordFile",
      thrown,
    );
  if (command === "MAIL FROM" && (reply ?? 0) >= 500)
    throw misconfigured(
      `the mail server ${where} takes no mail from us: ${reason}`,
      "correct mail.from",
      thrown,
    );
  const concernsThis = code === "EENVELOPE" || code === "EMESSAGE";
  // 421: the server closes the connection (RFC 5321, 3.8).
  if (!concernsThis || reply === undefined || reply === 421)
    throw notNow(
      `the mail server ${where} cannot be reached or does not answer as one: ${reason}`,
      "mails are kept, and the next pass tries again",
      thrown,
    );
  return { outcome: reply >= 500 ? "refused" : "later", reason };
}
