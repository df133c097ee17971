import type { SendMailOptions } from "nodemailer";

import type { Mail } from "./mailer.ts";

/** A mail as nodemailer takes it; it encodes what a header may not contain as it is. */
export function messageOf(mail: Mail): SendMailOptions {
  return {
    messageId: mail.messageId,
    date: new Date(mail.date),
    from: { ...mail.from },
    to: { name: "", address: mail.to },
    // Explicit, so that nothing in a header is taken for a recipient.
    envelope: { from: mail.from.address, to: [mail.to] },
    subject: mail.subject,
    text: mail.text,
    html: mail.html,
    // RFC 3834: no out-of-office reply answers it.
    headers: { "Auto-Submitted": "auto-generated" },
    textEncoding: "quoted-printable",
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}
