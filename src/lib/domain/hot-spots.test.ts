import { expect, test } from "vitest";

import { hotSpots } from "./hot-spots.ts";

const nowMs = Date.parse("2026-03-29T12:00:00Z");
const on = (day: string, count: number) =>
  Array.from(
    { length: count },
    (_, index) =>
      `2026-03-${day}T${String(index % 24).padStart(2, "0")}:00:00.000Z`,
  );

test("a day is hot when more is expected than lands on nine days of ten", () => {
  // Two a day, and four on two days that are no rule.
  const landed = Array.from({ length: 28 }, (_, day) =>
    on(String(day + 1).padStart(2, "0"), day < 2 ? 4 : 2),
  ).flat();
  expect(
    hotSpots([...on("31", 3), ...on("30", 2), ...on("29", 5)], landed, nowMs),
  ).toEqual([
    { day: "2026-03-29", expected: 5, usual: 2 },
    { day: "2026-03-31", expected: 3, usual: 2 },
  ]);
});

test("what is overdue is no hot spot, and what landed long ago or today says nothing of what is usual", () => {
  const landed = [...on("29", 9), "2025-01-01T00:00:00.000Z"];
  expect(hotSpots([...on("28", 7), ...on("30", 1)], landed, nowMs)).toEqual([]);
  expect(hotSpots(on("30", 2), landed, nowMs)).toEqual([
    { day: "2026-03-30", expected: 2, usual: 1 },
  ]);
});

test("where nothing is expected there are none", () => {
  expect(hotSpots([], [], nowMs)).toEqual([]);
});
