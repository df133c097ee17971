import { expect, test } from "vitest";

import { misconfigured, notNow } from "../domain/error.ts";
import { limitsOf, packageFault, verdictOf } from "./verdict.ts";

const open = limitsOf(new AbortController().signal, 60_000);

test("a verdict stays what it is", () => {
  expect(verdictOf(packageFault("no"), open).outcome).toBe("failed");
});

test("what the machine refuses is ours", () => {
  expect(verdictOf(notNow("no session"), open)).toMatchObject({
    outcome: "tmpfail",
    message: "no session",
  });
});

test("cancelling is nobody's fault, whatever broke because of it", () => {
  const limits = limitsOf(AbortSignal.abort(), 60_000);
  expect(verdictOf(packageFault("make: Killed"), limits)).toMatchObject({
    outcome: "tmpfail",
    message: "was cancelled",
  });
});

test("a bug is not hidden behind a verdict", () => {
  expect(() => verdictOf(new TypeError("x"), open)).toThrow(TypeError);
});

test("what a person has to mend first is not retried", () => {
  const missing = misconfigured(
    "sbuild is not installed",
    "apt-get install sbuild",
  );
  expect(() => verdictOf(missing, open)).toThrow(missing);
});
