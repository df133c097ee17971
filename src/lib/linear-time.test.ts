import { describe, expect, test } from "vitest";

import type { Shape } from "../../test/support/worst-shapes.ts";
import { readers, run, runsFor } from "../../test/support/worst-shapes.ts";

/**
 * Sixteen times the text may take sixteen times as long, and four times that by chance and for the
 * garbage that is collected; where it takes 256 times as long, time is quadratic.
 */
const factor = 16;
const ratioLimit = 64;
/** CPU times below these say little: of the larger text, of the smaller one. */
const noiseMs = 20;
const leastMs = 0.3;
/** What was a chance of the machine does not come back so often. */
const attempts = 5;
const smallest = 1024;

/** CPU time of this process, never the clock's: others may keep the machine busy. */
async function cpuMs(read: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  try {
    await read();
  } catch {
    // What it refuses, it refuses in time, too.
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/**
 * The growth that is more than linear, in words, or undefined. Sizes grow fourfold; each is compared with
 * the one a sixteenth of it, and measured again as long as it looks bad.
 */
async function growthOf(
  read: (text: string) => unknown,
  shape: Shape,
  largest: number,
): Promise<string | undefined> {
  const took = new Map<number, number>();
  for (let size = smallest; size <= largest; size *= 4) {
    const text = shape(size);
    const before = took.get(size / factor) ?? Infinity;
    const isBad = (ms: number) =>
      ms > noiseMs && ms > ratioLimit * Math.max(before, leastMs);
    let ms = await cpuMs(() => read(text));
    for (let again = 1; again < attempts && isBad(ms); again += 1)
      ms = Math.min(ms, await cpuMs(() => read(text)));
    if (isBad(ms))
      return `${size / factor} take ${before.toFixed(1)} ms, ${size} take ${ms.toFixed(1)} ms`;
    took.set(size, ms);
  }
  return undefined;
}

// The clock is for a test that hangs, on a machine that is busy.
describe.each(readers)(
  "$name takes linear time",
  { timeout: 300_000 },
  (reader) => {
    test("for runs of all that patterns look for", async () => {
      for (const [name, shape] of runsFor(reader))
        expect(
          await growthOf(reader.read, shape, 64 * 1024),
          name,
        ).toBeUndefined();
    });

    test("for the shapes that are worst for it", async () => {
      for (const [name, shape] of Object.entries(reader.shapes))
        expect(
          await growthOf(reader.read, shape, 256 * 1024),
          name,
        ).toBeUndefined();
    });
  },
);

test("a pattern that begins anew at each blank is found out", async () => {
  const trim = (text: string) => text.replace(/[ \t]+$/, "");
  const growth = await growthOf(trim, run(" ", "", "x"), 256 * 1024);
  expect(growth).toMatch(/take .* ms/);
}, 300_000);
