import { describe, expect, test } from "vitest";

import type { FinishedTicket, OnItsWay } from "./expected.ts";
import { expectedInWords, expectedTimes } from "./expected.ts";

const nowMs = Date.parse("2026-01-01T12:00:00.000Z");
const minute = 60_000;

/** A landed ticket that took that many minutes, a fifth of them in each step. */
const landed = (minutes: number, source = "other"): FinishedTicket => ({
  sources: [source],
  began: new Map(
    ([100, 200, 300, 400, 500] as const).map((step, index) => [
      step,
      (index * minutes * minute) / 5,
    ]),
  ),
  ended: minutes * minute,
});

/** Landings that took from 10 to 20 minutes. */
const usual = Array.from({ length: 11 }, (_, index) => landed(10 + index));

const queued = (id: number, over: Partial<OnItsWay> = {}): OnItsWay => ({
  id,
  sources: [`s${id}`],
  step: 100,
  since: null,
  retryAt: null,
  ...over,
});

/** Expected start and end of a ticket, in minutes from now. */
function times(
  id: number,
  concurrency: number,
  inFlight: readonly OnItsWay[],
  queue: readonly OnItsWay[],
  landings = usual,
) {
  const found = expectedTimes(nowMs, concurrency, inFlight, queue, landings);
  const { start, end } = found.get(id) ?? { start: null, end: null };
  const minutes = (at: string) => (Date.parse(at) - nowMs) / minute;
  return [start, end].map((span) =>
    span === null ? null : [minutes(span.earliest), minutes(span.latest)],
  );
}

describe("the time a ticket can expect", () => {
  test("the first of the queue starts now", () => {
    expect(times(1, 1, [], [queued(1)])).toEqual([
      [0, 0],
      [11, 19],
    ]);
  });

  test("one after the other, the uncertain adds up", () => {
    const queue = [queued(1), queued(2), queued(3)];
    expect(times(3, 1, [], queue)).toEqual([
      [22, 38],
      [33, 57],
    ]);
  });

  test("one in flight takes what is left of its step and those after it", () => {
    const building = queued(1, {
      step: 300,
      since: nowMs - 5 * minute,
    });
    expect(times(1, 1, [building], [])[0]).toBeNull();
    // Three fifths of 11 and of 19 minutes, less the 5 minutes that have passed.
    const [, end] = times(1, 1, [building], []);
    expect(end?.map((at) => at.toFixed(1))).toEqual(["1.6", "6.4"]);
    expect(times(2, 1, [building], [queued(2)])[0]).toEqual(end);
  });

  test("one that takes longer than any before it is complete any moment", () => {
    const long = queued(1, { step: 200, since: nowMs - 999 * minute });
    expect(times(1, 1, [long], [])[1]).toEqual([0, 0]);
  });

  test("side by side, as many as may be in flight", () => {
    const queue = [queued(1), queued(2), queued(3)];
    expect(times(2, 2, [], queue)[0]).toEqual([0, 0]);
    expect(times(3, 2, [], queue)[0]).toEqual([11, 19]);
  });

  test("a source package in common has to wait, others may overtake", () => {
    const queue = [
      queued(1, { sources: ["a"] }),
      queued(2, { sources: ["a"] }),
      queued(3),
    ];
    expect(times(2, 2, [], queue)[0]).toEqual([11, 19]);
    expect(times(3, 2, [], queue)[0]).toEqual([0, 0]);
  });

  test("the next attempt is waited for", () => {
    const later = queued(1, { step: 500, retryAt: nowMs + 60 * minute });
    expect(times(2, 1, [later], [queued(2)])[0]?.[0]).toBeGreaterThan(60);
  });

  test("more in flight than may be: the first to end makes no room", () => {
    const inFlight = [queued(1, { step: 500 }), queued(2, { step: 200 })];
    const [, end] = times(2, 1, inFlight, []);
    expect(times(3, 1, inFlight, [queued(3)])[0]).toEqual(end);
  });

  test("tickets of the same source package tell more than others", () => {
    const mine = Array.from({ length: 5 }, () => landed(100, "s1"));
    expect(times(1, 1, [], [queued(1)], [...usual, ...mine])[1]).toEqual([
      100, 100,
    ]);
    const found = expectedTimes(nowMs, 1, [], [queued(1)], [...usual, ...mine]);
    expect(found.get(1)?.landings).toBe(5);
  });

  test("says so when too few have landed", () => {
    const found = expectedTimes(nowMs, 1, [], [queued(1)], usual.slice(0, 4));
    expect(found.get(1)).toEqual({
      start: null,
      end: null,
      landings: 4,
      unknown: "it takes 5 landed tickets, and there are 4",
    });
  });

  test("in words", () => {
    const words = (id: number, queue: readonly OnItsWay[], of = usual) => {
      const found = expectedTimes(nowMs, 1, [], queue, of).get(id);
      return found === undefined ? "" : expectedInWords(found, nowMs);
    };
    expect(words(2, [queued(1), queued(2)])).toBe(
      "starts in 11 min to 19 min, complete in 22 min to 38 min (by the 11 tickets that landed before)",
    );
    expect(words(1, [queued(1)])).toContain(
      "starts any moment, complete in 11",
    );
    expect(words(1, [queued(1)], [])).toContain("it takes 5 landed tickets");
  });
});
