import { describe, expect, test } from "vitest";

import type { Matter, Situation, Told } from "./reminder.ts";
import { dueReminders, subjectOf } from "./reminder.ts";

const dayMs = 86_400_000;
const start = Date.parse("2026-03-01T12:00:00Z");

const matter = (topic: string): Matter => ({
  topic,
  words: `the matter ${topic}`,
  details: [],
  commands: [],
});

const mine = (owner: string, topic: string) => ({
  owner,
  matter: matter(topic),
});

const nothing: Situation = {
  nowMs: start,
  hour: 6,
  failed: [],
  published: [],
  testing: [],
  list: "list@example.com",
  needsSomebody: [],
  told: [],
  mayGet: () => true,
  isWaiting: () => false,
};

/** Passes at those times: what each sends, as `who: subject`, with what was told remembered. */
function passes(
  times: readonly number[],
  situationAt: (nowMs: number) => Partial<Situation>,
): string[][] {
  let told: readonly Told[] = [];
  return times.map((nowMs) => {
    const due = dueReminders({
      ...nothing,
      ...situationAt(nowMs),
      nowMs,
      told,
    });
    const key = ({ recipient, topic }: Told) => `${recipient} ${topic}`;
    const renewed = new Set(due.told.map(key));
    told = [...told.filter((one) => !renewed.has(key(one))), ...due.told];
    return due.letters.map((letter) => `${letter.to}: ${subjectOf(letter)}`);
  });
}

const days = (count: number) =>
  Array.from({ length: count }, (_, day) => start + day * dayMs);

/** The numbers of the passes that sent anything. */
const busy = (sent: readonly string[][]) =>
  sent.flatMap((mails, day) => (mails.length > 0 ? [day] : []));

describe("the list", () => {
  test("hears of a matter at once, a day later, then after twice as long, thirty days at most", () => {
    const sent = passes(days(125), () => ({ needsSomebody: [matter("a")] }));
    expect(busy(sent)).toEqual([0, 1, 3, 7, 15, 31, 61, 91, 121]);
    expect(sent[0]).toEqual(["list@example.com: the matter a"]);
  });

  test("gets one mail a day, whatever comes up after it", () => {
    const hours = [0, 1, 2, 23, 24].map((hour) => start + hour * 3_600_000);
    const sent = passes(hours, (nowMs) => ({
      needsSomebody:
        nowMs === start ? [matter("a")] : [matter("a"), matter("b")],
    }));
    // The day of reminders begins at six, eighteen hours after the first pass.
    expect(sent).toEqual([
      ["list@example.com: the matter a"],
      [],
      [],
      ["list@example.com: 2 matters need somebody"],
      [],
    ]);
  });

  test("hears anew of what comes up again at another time", () => {
    const sent = passes(days(3), (nowMs) => ({
      needsSomebody: nowMs === start + dayMs ? [] : [matter(String(nowMs))],
    }));
    expect(busy(sent)).toEqual([0, 2]);
  });

  test("is told nothing where there is none", () => {
    const situation = { list: null, needsSomebody: [matter("a")] };
    expect(dueReminders({ ...nothing, ...situation })).toEqual({
      letters: [],
      told: [],
    });
  });
});

describe("an owner", () => {
  test("is reminded once a day, however often a pass runs", () => {
    const often = Array.from({ length: 96 }, (_, n) => start + n * 1_800_000);
    const sent = passes(often, () => ({
      testing: [mine("ann@example.com", "a"), mine("Ann@Example.com", "b")],
    }));
    // At noon, then at six on each of the next two days.
    expect(busy(sent)).toEqual([0, 36, 84]);
    expect(sent[0]).toEqual(["ann@example.com: 2 landings need testing"]);
  });

  test("gets one mail with all there is, and nothing in it twice", () => {
    const [letter, ...others] = dueReminders({
      ...nothing,
      list: "ANN@example.com",
      failed: [mine("ann@example.com", "f")],
      published: [mine("ann@example.com", "p")],
      testing: [mine("ann@example.com", "p"), mine("ann@example.com", "t")],
      needsSomebody: [matter("n")],
    }).letters;
    expect(others).toEqual([]);
    expect(
      letter?.parts.map(({ kind, matters }) => [
        kind,
        ...matters.map(({ topic }) => topic),
      ]),
    ).toEqual([
      ["failed", "f"],
      ["published", "p"],
      ["testing", "t"],
      ["list", "n"],
    ]);
    expect(letter === undefined ? "" : subjectOf(letter)).toBe(
      "1 failed, 1 published, 1 landing needs testing, 1 matter needs somebody",
    );
  });

  test("who may get none gets none; who has not got the last one is not reminded, but hears what happened", () => {
    const all = {
      failed: [mine("ann@example.com", "f"), mine("ben@example.com", "g")],
      testing: [mine("ann@example.com", "t"), mine("ben@example.com", "u")],
      needsSomebody: [matter("n")],
    };
    const { letters, told } = dueReminders({
      ...nothing,
      ...all,
      mayGet: (address) => address !== "ben@example.com",
      isWaiting: () => true,
    });
    expect(letters.map(subjectOf)).toEqual(["the matter f"]);
    expect(told).toEqual([]);
  });

  test("is reminded after the clock was set back by years", () => {
    const sent = passes([start + 3000 * dayMs, start, start + dayMs], () => ({
      testing: [mine("ann@example.com", "t")],
      needsSomebody: [matter("n")],
    }));
    // The list, which was told twice, is told again after two days.
    expect(sent.map(({ length }) => length)).toEqual([2, 2, 1]);
  });
});
