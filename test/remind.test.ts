import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import { MailSink } from "./support/mail-sink.ts";
import { fakeBackends, Installation } from "./support/program.ts";

const dayMs = 86_400_000;
const preload = resolve(import.meta.dirname, "support/later.js");

let ci: Installation;
let sink: MailSink;
let mails: string;
const began = Date.now();

/** Sets the installation's clock: to that hour of that day, counted from tomorrow. */
function clock(day: number, hour: number): void {
  const midnight = (Math.floor(began / dayMs) + 1 + day) * dayMs;
  ci.env["UBUNTU_CI_TEST_AHEAD_MS"] = String(
    midnight + hour * 3_600_000 - Date.now(),
  );
}

beforeAll(async () => {
  mails = mkdtempSync(join(tmpdir(), "uci-mails-"));
  sink = await MailSink.start(join(mails, "taken"));
  ci = new Installation({
    ...fakeBackends,
    ppa: { pool: 2 },
    fake: { builder: "broken=fail" },
    mail: {
      smtp: `smtp://127.0.0.1:${sink.port}`,
      from: "Jörg, the shepherd <ci@example.com>",
    },
    remind: { list: "list@example.com", except: ["*@robots.example"] },
    qa: { graceDays: 3 },
  });
  ci.env["NODE_OPTIONS"] = `--import=${preload}`;
  clock(0, 12);
  ci.ok("init");
  ci.addUploader();
});
afterAll(() => {
  sink.stop();
  ci.remove();
  rmSync(mails, { recursive: true });
});

function create(name: string, owner: string): void {
  const changes = ci.upload(name, "1.0", { "debian/control": control(name) });
  ci.ok("create_ticket", "-t", `land ${name}`, "-o", owner, "-s", changes);
  ci.run("land");
}

const control = (name: string) =>
  `Source: ${name}\nMaintainer: Dev <dev@example.com>\nSection: misc\nPriority: optional\nStandards-Version: 4.6.2\n\nPackage: ${name}\nArchitecture: any\nDescription: a test\n`;

let seen = 0;

/** What has arrived since it was last asked, as `who: subject`. */
function arrived(): string[] {
  const all = sink.taken();
  const news = all
    .slice(seen)
    .map(({ to, subject }) => `${to}: ${subject.replace("[ubuntu-ci] ", "")}`);
  seen = all.length;
  return news.sort();
}

test("ten days bring exactly the mails that are due, and a crash loses none", () => {
  clock(0, 12);
  create("one", "ann@example.com");
  create("two", "ann@example.com");
  create("other", "ben@example.com");
  create("robot", "x@robots.example");
  create("broken", "ben@example.com");
  const days: string[][] = [];
  for (let day = 0; day < 10; day += 1) {
    clock(day, 13);
    if (day === 2) {
      // Killed between the intents and the first mail.
      ci.env["UBUNTU_CI_CRASH_AT"] = "reminder.intended";
      expect(ci.run("remind").code).toBe(null);
      delete ci.env["UBUNTU_CI_CRASH_AT"];
      expect(arrived()).toEqual([]);
    }
    if (day === 5) {
      // Killed after a mail was taken, before that was recorded.
      ci.env["UBUNTU_CI_CRASH_AT"] = "reminder.delivered";
      expect(ci.run("remind").code).toBe(null);
      delete ci.env["UBUNTU_CI_CRASH_AT"];
    }
    if (day === 7) ci.ok("qa", "1", "ok");
    if (day === 8) ci.ok("qa", "3", "bad", "--note", "slow");
    ci.ok("remind");
    clock(day, 20);
    expect(ci.ok("remind")).toBe("nobody needs to be reminded");
    days.push(arrived());
  }
  const two = "landing 2 (two 1.0) of bookworm needs testing";
  const ben = "landing 3 (other 1.0) of bookworm needs testing";
  const both = ["ann@example.com: 2 landings need testing"];
  const daily = [...both, `ben@example.com: ${ben}`];
  const failed = "ticket 5 failed at Package Building: land broken";
  expect(days).toEqual([
    [
      "ann@example.com: 2 published",
      "ben@example.com: 1 failed, 1 published",
      `list@example.com: ${failed}`,
    ],
    [...daily, `list@example.com: ${failed}`],
    daily,
    [...daily, "list@example.com: 5 matters need somebody"],
    [...daily, "list@example.com: 4 matters need somebody"],
    [...both, ...daily],
    [...daily, "list@example.com: 4 matters need somebody"],
    [
      `ann@example.com: ${two}`,
      `ben@example.com: ${ben}`,
      `list@example.com: ${failed}`,
    ],
    [
      `ann@example.com: ${two}`,
      "list@example.com: landing 3 (other 1.0) of bookworm is bad",
    ],
    [
      `ann@example.com: ${two}`,
      "list@example.com: landing 3 (other 1.0) of bookworm is bad",
    ],
  ]);
  // The name is encoded as a whole: nothing in it separates addresses.
  for (const { source } of sink.taken())
    expect(source).toMatch(
      /^From: =\?UTF-8\?Q\?J=C3=B6rg=2C_the_shepherd\?= <ci@example\.com>\r?$/m,
    );
  const ids = sink.taken().map(({ messageId }) => messageId);
  expect(ids.length - new Set(ids).size).toBe(1);
});
