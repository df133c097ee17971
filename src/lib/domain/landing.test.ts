import fc from "fast-check";
import { describe, expect, test } from "vitest";

import type { LandingEffect, QaState } from "./landing.ts";
import { deployable, effectSpans } from "./landing.ts";

type Effects = readonly LandingEffect[];
type Verdicts = ReadonlyMap<number, QaState>;

const ticket = (revision: number): LandingEffect => ({
  revision,
  revertsTo: null,
  takesOut: [],
});

const isGood = (verdicts: Verdicts) => (revision: number) =>
  ["ok", "untestable"].includes(verdicts.get(revision) ?? "untestable");

function answer(
  effects: Effects,
  verdicts: Verdicts,
  deployed: number | null = null,
) {
  const good = isGood(verdicts);
  return deployable(
    (limit) => effects.findLast(({ revision }) => revision < limit)?.revision,
    effectSpans(effects).filter(({ revision }) => !good(revision)),
    deployed,
  );
}

/** Landings 41, 42 … with these verdicts; `rolls` names what a landing rolls back. */
function history(
  states: readonly QaState[],
  rolls: Readonly<Record<number, number>> = {},
) {
  const effects = states.map((_, index) => {
    const revision = 41 + index;
    const rolled = rolls[revision];
    return {
      ...ticket(revision),
      takesOut: rolled === undefined ? [] : [rolled],
    };
  });
  const verdicts = new Map(states.map((state, index) => [41 + index, state]));
  return { effects, verdicts };
}

describe("the deployable revision", () => {
  // https://lists.launchpad.net/launchpad-dev/msg02710.html
  test.each<[string, QaState[], Record<number, number>, number, number]>([
    [
      "what needs testing blocks",
      ["ok", "ok", "needs-testing", "ok", "needs-testing"],
      {},
      42,
      43,
    ],
    [
      "what is bad blocks",
      ["ok", "ok", "bad", "ok", "needs-testing"],
      {},
      42,
      43,
    ],
    [
      "a bad one waits for all up to its rollback",
      ["ok", "ok", "bad", "ok", "needs-testing", "untestable"],
      { 46: 43 },
      42,
      45,
    ],
  ])("%s", (_name, states, rolls, revision, blockedBy) => {
    const { effects, verdicts } = history(states, rolls);
    expect(answer(effects, verdicts)).toEqual({ revision, blockedBy });
  });

  test("a bad landing goes together with its rollback, once all between is good", () => {
    const { effects, verdicts } = history(
      ["ok", "ok", "bad", "ok", "ok", "untestable", "needs-testing"],
      { 46: 43 },
    );
    expect(answer(effects, verdicts)).toEqual({ revision: 46, blockedBy: 47 });
  });

  test("a rollback that is bad itself blocks", () => {
    const { effects, verdicts } = history(["bad", "bad"], { 42: 41 });
    expect(answer(effects, verdicts)).toEqual({
      revision: null,
      blockedBy: 42,
    });
  });

  test("the rollback of a rollback brings back what was bad", () => {
    const { effects, verdicts } = history(["ok", "bad", "ok", "ok"], {
      43: 42,
      44: 43,
    });
    expect(answer(effects, verdicts)).toEqual({ revision: 43, blockedBy: 42 });
  });

  test("an older revision's contents have what is good and bad there", () => {
    const { effects, verdicts } = history(["ok", "ok", "bad"]);
    const back = { ...ticket(44), revertsTo: 42 };
    const again = { ...ticket(45), revertsTo: 43 };
    expect(answer([...effects, back], verdicts).revision).toBe(44);
    expect(answer([...effects, back, again], verdicts)).toEqual({
      revision: 44,
      blockedBy: 43,
    });
  });

  test("is never below what is deployed", () => {
    const { effects, verdicts } = history(["ok", "bad", "ok"]);
    expect(answer(effects, verdicts, 42)).toEqual({
      revision: 42,
      blockedBy: 42,
    });
  });

  test("without a landing there is none", () => {
    expect(answer([], new Map())).toEqual({ revision: null, blockedBy: null });
  });
});

/** The landings that have their effect in each revision, straight from what each says it does. */
function presentAt(effects: Effects): Map<number, Set<number>> {
  const present = new Map<number, Set<number>>();
  let now = new Set<number>();
  for (const { revision, revertsTo, takesOut } of effects) {
    const before = now;
    if (revertsTo !== null) {
      const at = [...present.keys()].filter((one) => one <= revertsTo).at(-1);
      now = new Set(at === undefined ? [] : present.get(at));
    } else {
      now = new Set(before);
      for (const gone of takesOut.filter((one) => before.has(one))) {
        const earlier = [...present.keys()].filter((one) => one < gone).at(-1);
        const then = earlier === undefined ? new Set() : present.get(earlier);
        for (const one of then as Set<number>)
          if (!present.get(gone)?.has(one)) now.add(one);
      }
      for (const gone of takesOut.filter((one) => before.has(one)))
        now.delete(gone);
    }
    now.add(revision);
    present.set(revision, now);
  }
  return present;
}

const histories = fc
  .array(
    fc.record({
      gap: fc.integer({ min: 1, max: 3 }),
      kind: fc.constantFrom("ticket", "ticket", "undo", "revert"),
      pick: fc.nat({ max: 20 }),
      qa: fc.constantFrom<QaState>(
        "ok",
        "ok",
        "bad",
        "needs-testing",
        "untestable",
      ),
    }),
    { maxLength: 14 },
  )
  .map((steps) => {
    const effects: LandingEffect[] = [];
    const verdicts = new Map<number, QaState>();
    let revision = 0;
    for (const { gap, kind, pick, qa } of steps) {
      const earlier = effects.map((one) => one.revision);
      const picked = earlier[pick % Math.max(1, earlier.length)];
      revision += gap;
      effects.push({
        revision,
        revertsTo: kind === "revert" ? (picked ?? 0) : null,
        takesOut: kind === "undo" && picked !== undefined ? [picked] : [],
      });
      verdicts.set(revision, qa);
    }
    return { effects, verdicts };
  });

test("spans say of each revision which landings have their effect in it", () => {
  fc.assert(
    fc.property(histories, ({ effects }) => {
      const spans = effectSpans(effects);
      for (const [revision, present] of presentAt(effects)) {
        const told = spans
          .filter(
            ({ since, until }) =>
              since <= revision && (until === null || until > revision),
          )
          .map((span) => span.revision);
        expect(told.sort((a, b) => a - b)).toEqual(
          [...present].sort((a, b) => a - b),
        );
      }
    }),
    { numRuns: 2000 },
  );
});

test("the deployable revision is the newest in which all is good", () => {
  fc.assert(
    fc.property(
      histories,
      fc.nat({ max: 20 }),
      ({ effects, verdicts }, pick) => {
        const good = isGood(verdicts);
        const present = presentAt(effects);
        const deployed = effects[pick]?.revision ?? null;
        const fine = [...present.keys()].filter((revision) =>
          [...(present.get(revision) ?? [])].every(good),
        );
        const newest = Math.max(fine.at(-1) ?? 0, deployed ?? 0);
        const last = [...([...present.values()].at(-1) ?? [])];
        const doubtful = last.filter((one) => !good(one)).sort((a, b) => a - b);
        expect(answer(effects, verdicts, deployed)).toEqual({
          revision: newest === 0 ? null : newest,
          blockedBy: doubtful[0] ?? null,
        });
      },
    ),
    { numRuns: 2000 },
  );
});
