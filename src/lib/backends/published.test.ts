import fc from "fast-check";
import { expect, test } from "vitest";

import { readPackages } from "./published.ts";

/** The same by patterns: slower, and a field could begin behind any line terminator. */
function byPatterns(text: string): unknown[] {
  return text.split(/\n\n+/).flatMap((paragraph) => {
    const field = (name: string) =>
      new RegExp(`^${name}: *(.*)$`, "m").exec(paragraph)?.[1]?.trim() ?? "";
    const both = (...names: readonly string[]) =>
      names
        .map(field)
        .filter((value) => value !== "")
        .join(", ");
    if (field("Package") === "") return [];
    return [
      {
        package: field("Package"),
        version: field("Version"),
        architecture: field("Architecture"),
        filename: field("Filename"),
        provides: field("Provides"),
        conflicts: both("Conflicts", "Breaks"),
        depends: both("Pre-Depends", "Depends"),
        essential: /^(?:Essential|Protected|Important): *yes$/m.test(paragraph),
      },
    ];
  });
}

const line = fc.oneof(
  fc.constantFrom("", "", " x", "Package: a", "Package:", "Essential: yes"),
  fc
    .tuple(
      fc.constantFrom(
        ...["Package", "Version", "Provides", "Protected", "Other"],
        ...["Conflicts", "Breaks", "Pre-Depends", "Depends"],
      ),
      fc.constantFrom(": ", ":", ":  ", " "),
      fc.constantFrom("a", "yes", "b:c", "", "yes x"),
    )
    .map((parts) => parts.join("")),
);

test("the fields that matter, of each paragraph", () => {
  fc.assert(
    fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
      const text = lines.join("\n");
      expect(readPackages(text)).toEqual(byPatterns(text));
    }),
    { numRuns: 5000 },
  );
});

test("what stands behind a carriage return is no field of its own", () => {
  expect(
    readPackages("Package: a\nDescription: x\rProvides: libc6\n"),
  ).toMatchObject([{ package: "a", provides: "" }]);
});
