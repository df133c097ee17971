/** A day on which more is expected to land than usually does. */
export interface HotSpot {
  /** UTC: 2026-12-01. */
  readonly day: string;
  /** How many tickets are expected then. */
  readonly expected: number;
  /** How many land at most on nine days of ten. */
  readonly usual: number;
}

/** How many days before today tell what is usual. */
const daysBefore = 28;
const share = 0.9;
const dayMs = 86_400_000;

/**
 * The days from today on for which more is expected than usually lands in a day, the first one first.
 *
 * @param expected when each open ticket is expected, ISO 8601 UTC: as its owner says, else as estimated
 * @param landed when tickets have landed, ISO 8601 UTC
 */
export function hotSpots(
  expected: readonly string[],
  landed: readonly string[],
  nowMs: number,
): HotSpot[] {
  const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);
  const today = dayOf(nowMs);
  const landedOn = countByDay(landed);
  const before = Array.from(
    { length: daysBefore },
    (_, index) => landedOn.get(dayOf(nowMs - (index + 1) * dayMs)) ?? 0,
  ).sort((one, other) => one - other);
  // One ticket in a day is no crowd, however rarely anything lands.
  const usual = Math.max(1, before[Math.ceil(share * daysBefore) - 1] ?? 0);
  return [...countByDay(expected)]
    .filter(([day, count]) => day >= today && count > usual)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([day, count]) => ({ day, expected: count, usual }));
}

function countByDay(times: readonly string[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const time of times) {
    const day = time.slice(0, 10);
    found.set(day, (found.get(day) ?? 0) + 1);
  }
  return found;
}
