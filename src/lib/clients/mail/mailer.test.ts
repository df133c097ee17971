import {
  chmodSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { SmtpServer } from "../../../../test/support/smtp-server.ts";
import { configOf } from "../../config/config.ts";
import type { Mail, Mailer } from "./mailer.ts";
import { openMailer } from "./mailer.ts";

let server: SmtpServer;
let folder: string;
beforeEach(async () => {
  server = await SmtpServer.start();
  folder = mkdtempSync(join(tmpdir(), "uci-mail-"));
});
afterEach(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

async function mailerOf(mail: object): Promise<Mailer> {
  const mailer = await openMailer(
    configOf({ mail: { from: "CI <ci@example.com>", ...mail } }, null),
  );
  if (mailer === null) throw new Error("nothing is configured");
  return mailer;
}

const sample = (mailer: Mailer, over: Partial<Mail> = {}): Mail => ({
  messageId: "<1@example.com>",
  from: mailer.from,
  to: "dev@example.com",
  subject: "hello",
  text: "a text\n.\nits end",
  html: "<p>a text</p>",
  date: "2026-03-01T12:00:00.000Z",
  ...over,
});

describe("through a server", () => {
  test("a mail has text and HTML, and nothing in its headers becomes another one", async () => {
    const mailer = await mailerOf({
      smtp: server.url,
      from: 'Jörg, "the boss" <ci@example.com>',
    });
    const mail = sample(mailer, {
      subject: "hello\r\nBcc: evil@example.com\r\n\r\nbody ü",
    });
    expect(await mailer.send(mail)).toEqual({ outcome: "sent" });
    const [taken = ""] = server.taken;
    const [head = "", ...body] = taken.split("\r\n\r\n");
    expect(
      head
        .split(/\r\n(?![ \t])/)
        .map((line) => line.split(":", 1)[0])
        .sort(),
    ).toEqual([
      "Auto-Submitted",
      "Content-Type",
      "Date",
      "From",
      "MIME-Version",
      "Message-ID",
      "Subject",
      "To",
    ]);
    expect(head).toMatch(/^From: =\?UTF-8\?Q\?[^ ]+\?= <ci@example\.com>$/m);
    expect(head).toContain("\r\nMessage-ID: <1@example.com>\r\n");
    expect(head).toContain("\r\nDate: Sun, 01 Mar 2026 12:00:00 +0000");
    expect(body.join()).toMatch(/text\/plain[^]*text\/html/);
    expect(
      server.commands.filter((line) => /^(?:MAIL|RCPT)/.test(line)),
    ).toEqual(["MAIL FROM:<ci@example.com>", "RCPT TO:<dev@example.com>"]);
  });

  test.each([
    [/^RCPT/, "550 no such user", "refused"],
    [/^RCPT/, "450 greylisted", "later"],
    [/^end of data/, "554 spam", "refused"],
    [/^end of data/, "451 try later", "later"],
  ])(
    "%s answered by %j is about this mail: %s",
    async (at, answer, outcome) => {
      const mailer = await mailerOf({ smtp: server.url });
      server.answer = (command) => (at.test(command) ? answer : undefined);
      expect(await mailer.send(sample(mailer))).toEqual({
        outcome,
        reason: expect.stringContaining(answer.slice(4)) as string,
      });
    },
  );

  test.each([
    [/^MAIL/, "553 not from you", 78],
    [/^MAIL/, "421 shutting down", 75],
    [/^RCPT/, "421 shutting down", 75],
    [/^EHLO|^HELO/, "500 what", 75],
  ])(
    "%s answered by %j is about all mail: exit %i",
    async (at, answer, exitCode) => {
      const mailer = await mailerOf({ smtp: server.url });
      server.answer = (command) => (at.test(command) ? answer : undefined);
      await expect(mailer.send(sample(mailer))).rejects.toMatchObject({
        exitCode,
      });
    },
  );

  test("one that nobody listens at is not there just now", async () => {
    const other = await SmtpServer.start();
    const { url } = other;
    await other.stop();
    const mailer = await mailerOf({ smtp: url });
    await expect(mailer.send(sample(mailer))).rejects.toMatchObject({
      exitCode: 75,
    });
  });

  test("the password comes from a file, and is not shown when it is wrong", async () => {
    const file = join(folder, "password");
    writeFileSync(file, "open sesame\n", { mode: 0o600 });
    server.answer = (command) =>
      command.startsWith("EHLO")
        ? "250-test\r\n250 AUTH PLAIN"
        : command.startsWith("AUTH")
          ? "535 no"
          : undefined;
    const settings = { smtp: server.url, user: "ci", passwordFile: file };
    const mailer = await mailerOf(settings);
    await expect(mailer.send(sample(mailer))).rejects.toMatchObject({
      exitCode: 78,
      message: expect.not.stringContaining("sesame") as string,
    });
    const secret = Buffer.from("\0ci\0open sesame").toString("base64");
    expect(server.commands).toContain(`AUTH PLAIN ${secret}`);
    chmodSync(file, 0o644);
    await expect(mailerOf(settings)).rejects.toMatchObject({
      exitCode: 78,
      hint: `chmod 600 ${file}`,
    });
  });
});

describe("through a program", () => {
  const program = (script: string): string => {
    const file = join(folder, "sendmail");
    writeFileSync(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return file;
  };

  test("it gets the mail, and whom it is for", async () => {
    const args = join(folder, "args");
    const taken = join(folder, "taken");
    const mailer = await mailerOf({
      sendmail: program(`echo "$@" > ${args}; cat > ${taken}`),
    });
    expect(await mailer.send(sample(mailer))).toEqual({ outcome: "sent" });
    expect(readFileSync(args, "utf8")).toBe(
      "-i -f ci@example.com -- dev@example.com\n",
    );
    const mail = readFileSync(taken, "utf8");
    expect(mail).toMatch(
      /^From: CI <ci@example\.com>\nTo: dev@example\.com\n/m,
    );
    expect(mail).toContain("\n.\n");
  });

  test("what it ends with says whether to try again", async () => {
    const gone = await mailerOf({
      sendmail: program("echo nobody >&2; exit 67"),
    });
    expect(await gone.send(sample(gone))).toEqual({
      outcome: "refused",
      reason: "nobody",
    });
    const busy = await mailerOf({ sendmail: program("exit 75") });
    await expect(busy.send(sample(busy))).rejects.toMatchObject({
      exitCode: 75,
    });
    const missing = await mailerOf({ sendmail: join(folder, "nothing") });
    await expect(missing.send(sample(missing))).rejects.toMatchObject({
      exitCode: 78,
    });
  });
});

test.each([
  [{ smtp: "mail.example.com" }, "mail.smtp is no address"],
  [{ smtp: "http://mail.example.com" }, "mail.smtp is no address"],
  [{ smtp: "smtp://ci:sesame@mail.example.com" }, "a user or a password in it"],
  [{ smtp: "smtp://h", sendmail: "/s" }, "exclude each other"],
  [{ sendmail: "sendmail" }, "no absolute path"],
  [{ smtp: "smtp://h", from: "nobody" }, "mail.from"],
  [{ smtp: "smtp://h", user: "ci" }, "mail.passwordFile is not set"],
  [
    { smtp: "smtp://h", user: "ci", passwordFile: "/nothing" },
    "cannot be read",
  ],
])("%j is refused", async (settings, words) => {
  await expect(mailerOf(settings)).rejects.toMatchObject({
    exitCode: 78,
    message: expect.stringContaining(words) as string,
  });
});

test("where nothing is configured, no mail is sent", async () => {
  expect(await openMailer(configOf({}, null))).toBeNull();
});
