import { expect, test } from "vitest";

import type { KnownPackages } from "./package-index.ts";
import { lookUp, thereIn } from "./package-index.ts";
import { relationGroups } from "./relation.ts";

const index = `Package: sl
Version: 5.02-1
Description: steam
 Package: hello

Package: hello
Source: greetings
Provides: greeter, greet (= 2.10)
Version: 2.10-3

Package: hello-more
Version: 1

Package: exim4
Version: 4.96
Provides: mail-transport-agent

Package: postfix
Version: 3.7
Provides: mail-transport-agent`;

const known = (...names: string[]) => {
  const found: KnownPackages = new Map();
  lookUp(index, new Set(names), found);
  return found;
};

test("a name is that of a package, or of what packages provide", () => {
  const names = ["sl", "hello", "greet", "mail-transport-agent", "Source"];
  expect(Object.fromEntries(known(...names))).toEqual({
    sl: { versions: ["5.02-1"], providers: [] },
    hello: { versions: ["2.10-3"], providers: [] },
    greet: {
      versions: [],
      providers: [{ package: "hello", version: "2.10" }],
    },
    "mail-transport-agent": {
      versions: [],
      providers: [{ package: "exim4" }, { package: "postfix" }],
    },
  });
});

test.each([
  ["sl", true],
  ["sl (>= 5)", true],
  ["sl (>= 6)", false],
  ["nothing | hello", true],
  ["greet (>= 2)", true],
  ["greet (>= 3)", false],
  ["mail-transport-agent", true],
  // What is provided without a version is within no bound.
  ["mail-transport-agent (>= 1)", false],
  ["hello-mor", false],
])("%s: %s", (relation, expected) => {
  const [group = []] = relationGroups(relation, "amd64");
  const found = known(...group.map(({ name }) => name));
  expect(thereIn(found)(group)).toBe(expected);
});
