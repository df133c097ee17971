import { createTransport } from "nodemailer";

import { notNow } from "../../domain/error.ts";
import type { Mailbox } from "../../domain/mailbox.ts";
import { exec } from "../../host/exec.ts";
import type { Mailer } from "./mailer.ts";
import { messageOf } from "./message.ts";

const timeoutMs = 60_000;

/** sysexits(3) codes that are about the mail itself: EX_DATAERR, EX_NOUSER, EX_NOHOST. */
const aboutMail = [65, 67, 68];

/** Sends mail through a sendmail(8) program. */
export function sendmailMailer(program: string, from: Mailbox): Mailer {
  const composer = createTransport({
    streamTransport: true,
    buffer: true,
    newline: "unix",
  });
  return {
    from,
    async send(mail) {
      const { message } = await composer.sendMail(messageOf(mail));
      const { exitCode, stderr, timedOut } = await exec(
        [program, "-i", "-f", from.address, "--", mail.to],
        { input: (message as Buffer).toString("utf8"), timeoutMs },
      );
      if (exitCode === 0) return { outcome: "sent" };
      const [said = ""] = stderr.trim().split("\n");
      const reason = timedOut
        ? "it took too long"
        : said || `it ended with ${String(exitCode)}`;
      if (exitCode !== undefined && aboutMail.includes(exitCode))
        return { outcome: "refused", reason };
      throw notNow(
        `${program} does not send our mail: ${reason}`,
        "mails are kept, and the next pass tries again",
      );
    },
  };
}
