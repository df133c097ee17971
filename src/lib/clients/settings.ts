import type { Setting } from "../domain/setting.ts";

export const clientsSettings = [
  {
    key: "mail.smtp",
    kind: { type: "string" },
    default: null,
    help: "server that sends our mail: smtp://HOST, smtp://HOST:PORT, or smtps:// for TLS from the start",
    trust: true,
  },
  {
    key: "mail.sendmail",
    kind: { type: "string" },
    default: null,
    help: "instead of a server, the program that sends it, such as /usr/sbin/sendmail",
    trust: true,
  },
  {
    key: "mail.user",
    kind: { type: "string" },
    default: null,
    help: "user name for that server",
  },
  {
    key: "mail.passwordFile",
    kind: { type: "string" },
    default: null,
    help: "absolute path of a file with the password for that server, which nobody else may read",
    trust: true,
  },
  {
    key: "mail.from",
    kind: { type: "string" },
    default: null,
    help: "sender of mails, ADDRESS or NAME <ADDRESS>; default: ubuntu-ci at this host",
  },
] as const satisfies readonly Setting[];
