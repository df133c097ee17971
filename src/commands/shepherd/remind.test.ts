import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { InProcess, saying } from "../../../test/support/in-process.ts";
import { SmtpServer } from "../../../test/support/smtp-server.ts";

let ci: InProcess;
let server: SmtpServer;

const dayMs = 86_400_000;
const noon = Date.parse("2030-03-01T12:00:00Z");

/** Sets the clock to noon of that day. */
const day = (number: number) => vi.setSystemTime(noon + number * dayMs);

const settings = (more: object = {}) => ({
  fake: { builder: "broken=fail" },
  mail: { smtp: server.url, from: "ci@example.com" },
  remind: { list: "list@example.com" },
  ...more,
});

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  day(0);
  server = await SmtpServer.start();
  ci = await InProcess.init(settings());
});
afterEach(async () => {
  ci.remove();
  await server.stop();
  vi.useRealTimers();
});

async function land(name: string, ...options: string[]): Promise<void> {
  await ci.create(name, "1.0", ...options);
  await ci.run("land");
}

/** The subjects of the mails that came, with their recipients. */
const came = () =>
  server.taken
    .splice(0)
    .map((mail) => {
      const unfolded = mail.replaceAll(/\r\n[ \t]/g, " ");
      const header = (name: string) =>
        new RegExp(`^${name}: (.*?)\r?$`, "m").exec(unfolded)?.[1] ?? "";
      return `${header("To")}: ${header("Subject")}`;
    })
    .sort();

const idsSent = () =>
  ci.sql("SELECT message_id, outcome FROM notification ORDER BY id");

describe("remind", () => {
  test("says what failed and what is published, once, and --dry-run shows it", async () => {
    await land("one", "-o", "ann@example.com");
    await land("broken");
    const planned = await ci.ok("remind", "--dry-run");
    expect(planned).toContain(
      "To: ann@example.com\nSubject: [ubuntu-ci] ticket 1 is published as archive revision 1: land one\n\nPublished\n",
    );
    expect(planned).toMatch(
      /To: dev@example\.com\nSubject: \[ubuntu-ci\] ticket 2 failed at Package Building: land broken\n[^]*fake build of broken 1\.0: failed\n {2}\$ ubuntu-ci get_artifact 2 \S+ -o -\n/,
    );
    expect(came()).toEqual([]);
    const { document } = await ci.json("remind");
    expect(document).toMatchObject({
      configured: true,
      sent: [{ to: "dev@example.com" }, { to: "ann@example.com" }, {}],
      refused: [],
      later: [],
    });
    expect(came()).toEqual([
      "ann@example.com: [ubuntu-ci] ticket 1 is published as archive revision 1: land one",
      "dev@example.com: [ubuntu-ci] ticket 2 failed at Package Building: land broken",
      "list@example.com: [ubuntu-ci] ticket 2 failed at Package Building: land broken",
    ]);
    expect(await ci.ok("remind")).toBe("nobody needs to be reminded");
    expect(await ci.ok("log")).toMatch(/reminder.*sent.*to ann@example\.com/);
  });

  test("tells what it is configured to, to whom it is configured to", async () => {
    ci.configure(
      settings({
        remind: { failed: false, published: false, except: ["Ann@*"] },
      }),
    );
    await land("one", "-o", "ann@example.com");
    await land("two", "-o", "ben@example.com");
    await land("broken");
    await ci.ok("remind");
    expect(came()).toEqual([
      "ben@example.com: [ubuntu-ci] landing 2 (two 1.0) of bookworm needs testing",
    ]);
  });

  test("without mail it says so; of the time before its first pass it tells a day", async () => {
    ci.configure(settings({ mail: {} }));
    await land("broken");
    const { code, stdout } = await ci.run("remind");
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: saying("no mail is configured: set mail.smtp or mail.sendmail"),
    });
    ci.configure(settings());
    day(2);
    await land("broken2", "-o", "ann@example.com");
    await ci.ok("remind");
    expect(came()).toEqual([
      "ann@example.com: [ubuntu-ci] ticket 2 is published as archive revision 1: land broken2",
      "list@example.com: [ubuntu-ci] ticket 1 failed at Package Building: land broken",
    ]);
  });

  test("without a server it ends with 75, once in the log, and check says so; what is kept is sent once", async () => {
    await land("broken");
    server.answer = () => "421 closing";
    for (const _ of [1, 2])
      expect(await ci.run("remind")).toMatchObject({
        code: 75,
        stderr: saying(/the mail server \S+ cannot be reached/),
      });
    expect((await ci.ok("log")).match(/not sent/g)).toHaveLength(1);
    const before = idsSent();
    expect(before).toHaveLength(2);
    vi.setSystemTime(noon + 3_600_000);
    expect((await ci.run("check")).stdout).toMatch(
      /a mail to dev@example\.com has waited 1 h 0 min to be sent: the mail server .*ubuntu-ci remind/,
    );
    // Days later nobody gets one mail for each of them.
    day(4);
    server.answer = () => undefined;
    expect(await ci.ok("remind")).toMatch(
      /^sent to dev@.*\nsent to list@.*\nsent to list@/,
    );
    expect(came()).toHaveLength(3);
    expect(idsSent().slice(0, 2)).toEqual(
      before.map((row) => ({ ...(row as object), outcome: "sent" })),
    );
    expect((await ci.run("check")).stdout).not.toContain("a mail to");
  });

  test("one mail that is not taken keeps no other back", async () => {
    await land("one", "-o", "gone@example.com");
    await land("two", "-o", "busy@example.com");
    await land("three", "-o", "ann@example.com");
    server.answer = (command) =>
      /^RCPT.*gone/.test(command)
        ? "550 no such user"
        : /^RCPT.*busy/.test(command)
          ? "450 come again"
          : undefined;
    const { code, stdout, stderr } = await ci.run("remind");
    expect({ code, stderr }).toEqual({
      code: 75,
      stderr: saying(/the mail to gone@example\.com was refused: .*no such/),
    });
    expect(stdout).toMatch(/not now to busy@example\.com: .*come again/);
    expect(came()).toEqual([saying("ann@example.com: ")]);
    server.answer = () => undefined;
    await ci.ok("remind");
    expect(came()).toEqual([saying("busy@example.com: ")]);
    expect(await ci.ok("remind")).toBe("nobody needs to be reminded");
  });

  test("the list hears of what is held, set aside, never queued or bad, until somebody has acted", async () => {
    await land("one");
    await ci.ok("qa", "1", "bad", "--note", "slow");
    await ci.create("two", "1.0", "--wait");
    await ci.create("three");
    await ci.ok("update_ticket", "3", "--hold");
    await ci.ok("remind");
    came();
    day(1);
    const planned = await ci.ok("remind", "--dry-run");
    expect(planned).toContain("of bookworm is bad");
    expect(planned).not.toMatch(/ticket [23]/);
    day(4);
    const later = await ci.ok("remind", "--dry-run");
    expect(later).toContain("* ticket 2 was never queued: land two");
    expect(later).toContain("* ticket 3 is held: land three");
    await ci.ok("update_ticket", "2", "--queue");
    await ci.ok("cancel", "3");
    await ci.ok("qa", "1", "ok");
    expect(await ci.ok("remind", "--dry-run")).toBe(
      "nobody needs to be reminded",
    );
  });

  test("an owner whose address is none is told of in the output, in explain, and once in the log", async () => {
    await land("one");
    await land("broken");
    // As of the time when any text was taken for an address.
    ci.sql("UPDATE person SET email = 'the release team'");
    const lines = [
      'no mail can go to "the release team", which is no mail address: ticket 1 is published',
      'no mail can go to "the release team", which is no mail address: ticket 2 failed',
    ];
    const planned = await ci.ok("remind", "--dry-run");
    for (const line of lines) expect(planned).toContain(line);
    const { document } = await ci.json("remind");
    expect(document).toMatchObject({
      sent: [{ to: "list@example.com" }],
      unmailable: [{ to: "the release team" }, {}],
    });
    day(1);
    expect(await ci.ok("remind")).toMatch(
      /no mail can go to "the release team".*landing 1 .* needs testing/,
    );
    expect((await ci.ok("log")).match(/no mail can go to/g)).toHaveLength(1);
    expect((await ci.json("explain", "2")).document).toMatchObject({
      because: expect.arrayContaining([
        'its owner "the release team" gets no mail of it: that is no mail address',
      ]) as unknown,
      commands: expect.arrayContaining([
        {
          command: saying("update_ticket 2 --owner EMAIL"),
          effect: "gives it an owner who gets mails",
        },
      ]) as unknown,
    });
    ci.configure(settings({ remind: { except: ["the *"] } }));
    expect(await ci.ok("remind")).toBe("nobody needs to be reminded");
  });

  test("a list that is no address is a wrong configuration", async () => {
    ci.configure(settings({ remind: { list: "a,b@example.com" } }));
    expect(await ci.run("remind")).toMatchObject({
      code: 78,
      stderr: saying('remind.list is "a,b@example.com", which is no address'),
    });
  });

  test("a failed ticket needs nobody any more once a newer one of its packages is there", async () => {
    await land("broken");
    expect(await ci.ok("remind", "--dry-run")).toContain("To: list@");
    await ci.create("broken", "1.1");
    expect(await ci.ok("remind", "--dry-run")).not.toContain("To: list@");
  });

  test("what is in a title or a log stays in its place", async () => {
    await ci.ok(
      "create_ticket",
      ...["-t", "<script>alert(1)</script> & a,b@c", "-s", ci.upload("broken")],
    );
    await ci.run("land");
    await ci.ok("remind");
    const [mail = ""] = server.taken;
    const html = mail.slice(mail.indexOf("text/html"));
    expect(html).not.toContain("<script>");
    expect(html.replaceAll("=\r\n", "")).toContain("&lt;script&gt;alert(1)");
    expect(server.commands.filter((line) => line.startsWith("RCPT"))).toEqual([
      "RCPT TO:<dev@example.com>",
      "RCPT TO:<list@example.com>",
    ]);
  });
});
