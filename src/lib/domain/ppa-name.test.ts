import { expect, test } from "vitest";

import { isPpaName, pooledName } from "./ppa-name.ts";

test("a PPA is called what a folder may be, and not like the archive", () => {
  for (const name of ["ci_pool-001", "a", "0.9+x"])
    expect(isPpaName(name), name).toBe(true);
  for (const name of [
    ...["", "archive", "..", ".hidden", "-x", "a/b", "CI_pool-001", "a b"],
    "x".repeat(64),
  ])
    expect(isPpaName(name), name).toBe(false);
  expect(pooledName("ci_pool", 7)).toBe("ci_pool-007");
});
