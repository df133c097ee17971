import { expect, test } from "vitest";

import { advice, remedy, remedyIn } from "../domain/remedy.ts";
import { adviceText } from "./command-line.ts";

const retry = remedy("retry", [7], { from: "build-source" });

test("a remedy is a line that a shell takes as it is", () => {
  expect(adviceText(retry)).toBe("ubuntu-ci retry 7 --from build-source");
  expect(
    adviceText(remedy("get_artifact", [7, "it's a log"], { o: "-" })),
  ).toBe("ubuntu-ci get_artifact 7 'it'\\''s a log' -o -");
  expect(adviceText(remedy("fsck", [], { mend: true }))).toBe(
    "ubuntu-ci fsck --mend",
  );
  expect(
    adviceText(remedy("archive list"), (verb) => ["--of", verb.toUpperCase()]),
  ).toBe("ubuntu-ci archive list --of 'ARCHIVE LIST'");
});

test("in a sentence it stands in backquotes, with the options of the caller", () => {
  const first = advice`first ${remedy("cancel", [7])}`;
  expect(
    adviceText(advice`${first}, then ${retry} (${2} times)`, () => ["-S"]),
  ).toBe(
    "first `ubuntu-ci cancel 7 -S`, then `ubuntu-ci retry 7 --from build-source -S` (2 times)",
  );
  expect(adviceText("free some space")).toBe("free some space");
});

test("a command of the system's gets no options of ours", () => {
  const install = { ...remedy("install", ["sbuild"]), program: "apt-get" };
  expect(adviceText(install, () => ["-S"])).toBe("apt-get install sbuild");
});

test("the remedy in an advice is found", () => {
  const init = remedy("init", [], { series: "bookworm" });
  expect(remedyIn(advice`run ${init} and ${retry}`)).toEqual(init);
  expect(remedyIn(init)).toEqual(init);
  expect(remedyIn("the run was interrupted")).toBeNull();
});
