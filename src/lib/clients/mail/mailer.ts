import { statSync } from "node:fs";
import { hostname } from "node:os";
import { isAbsolute } from "node:path";

import type { Config } from "../../config/config.ts";
import { misconfigured } from "../../domain/error.ts";
import type { Mailbox } from "../../domain/mailbox.ts";
import { parseMailbox } from "../../domain/mailbox.ts";
import { readTrusted } from "../../host/trusted-file.ts";

/** A mail as it is to be sent. */
export interface Mail {
  /** With its brackets; the same whenever the same mail is sent again. */
  readonly messageId: string;
  readonly from: Mailbox;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  /** ISO 8601 UTC. */
  readonly date: string;
}

/**
 * What became of a mail: it was taken; it will never be (no such mailbox); or this one mail was not taken
 * just now (greylisting).
 */
export type Delivery =
  | { readonly outcome: "sent" }
  | { readonly outcome: "refused" | "later"; readonly reason: string };

/** What sends our mail. */
export interface Mailer {
  readonly from: Mailbox;
  /** @throws UbuntuCiError (75) when no mail can be sent just now; (78) when the configuration is wrong */
  send(mail: Mail): Promise<Delivery>;
}

/**
 * Opens what the configuration names; null when it names nothing.
 *
 * @throws UbuntuCiError (78) with the setting that is wrong
 */
export async function openMailer(config: Config): Promise<Mailer | null> {
  const smtp = config.get("mail.smtp");
  const sendmail = config.get("mail.sendmail");
  if (smtp === null && sendmail === null) return null;
  if (smtp !== null && sendmail !== null)
    throw misconfigured(
      "mail.smtp and mail.sendmail exclude each other",
      "keep the one that is to send our mail",
    );
  const from = senderOf(config);
  if (sendmail !== null) {
    if (!isAbsolute(sendmail))
      throw misconfigured(
        `mail.sendmail is ${JSON.stringify(sendmail)}, which is no absolute path`,
        "name it as /usr/sbin/sendmail",
      );
    const { sendmailMailer } = await import("./sendmail.ts");
    return sendmailMailer(sendmail, from);
  }
  const { smtpMailer } = await import("./smtp.ts");
  return smtpMailer(serverOf(smtp ?? ""), credentialsOf(config), from);
}

/** @throws UbuntuCiError (78) */
function senderOf(config: Config): Mailbox {
  const given = config.get("mail.from");
  const sender = parseMailbox(given ?? `ubuntu-ci@${hostname()}`);
  if (sender !== null) return sender;
  throw misconfigured(
    given === null
      ? "this host has no name that a mail could come from"
      : `mail.from is ${JSON.stringify(given)}, which is no address`,
    "set it to ADDRESS or NAME <ADDRESS>",
  );
}

/** A mail server; without TLS from the start, what it offers is used. */
export interface MailServer {
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
}

function serverOf(text: string): MailServer {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^smtps?:$/.test(url.protocol) || url.hostname === "")
    throw misconfigured(
      "mail.smtp is no address of a mail server",
      "set it to smtp://HOST, smtp://HOST:PORT, or smtps://HOST",
    );
  if (url.username !== "" || url.password !== "")
    throw misconfigured(
      "mail.smtp has a user or a password in it",
      "set mail.user, and mail.passwordFile to a file with the password",
    );
  const secure = url.protocol === "smtps:";
  return {
    host: url.hostname.replaceAll(/^\[|\]$/g, ""),
    port: url.port === "" ? (secure ? 465 : 25) : Number(url.port),
    secure,
  };
}

/** What a server is told to know us by. */
export interface Credentials {
  readonly user: string;
  readonly pass: string;
}

function credentialsOf(config: Config): Credentials | null {
  const user = config.get("mail.user");
  const file = config.get("mail.passwordFile");
  if (user === null && file === null) return null;
  if (user === null || file === null)
    throw misconfigured(
      `${user === null ? "mail.user" : "mail.passwordFile"} is not set`,
      "a mail server wants both a user and a password",
    );
  if (!isAbsolute(file))
    throw misconfigured(
      `mail.passwordFile is ${JSON.stringify(file)}, which is no absolute path`,
    );
  return { user, pass: passwordIn(file) };
}

function passwordIn(file: string): string {
  const users = new Set([process.geteuid?.() ?? 0, 0]);
  let text;
  try {
    text = readTrusted(file, users, "the password of the mail server").text;
  } catch (thrown) {
    if (!(thrown instanceof Error) || !("code" in thrown)) throw thrown;
    throw misconfigured(
      `mail.passwordFile cannot be read: ${thrown.message}`,
      "name a file that the owner of the state folder can read",
      thrown,
    );
  }
  if ((statSync(file).mode & 0o077) !== 0)
    throw misconfigured(
      `others may read the password of the mail server in ${file}`,
      `chmod 600 ${file}`,
    );
  const password = text.replace(/\r?\n$/, "");
  if (password === "") throw misconfigured(`${file} has no password in it`);
  return password;
}
