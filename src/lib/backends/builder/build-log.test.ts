import { expect, test } from "vitest";

import { explainingLine, machineTrouble } from "./build-log.ts";

test("a compiler's error explains more than make's", () => {
  expect(
    explainingLine(
      "cc main.c\nmain.c:3:1: error: expected ‘;’\nmake[1]: *** [main.o] Error 1\ndpkg-buildpackage: error: debian/rules build subprocess returned exit status 2\n",
    ),
  ).toBe("main.c:3:1: error: expected ‘;’");
});

test("without a telling line it is the last", () => {
  expect(explainingLine("one\ntwo\n\n")).toBe("two");
});

test("a full disk is seen", () => {
  expect(machineTrouble("cp: write: No space left on device\n")).toBe(
    "cp: write: No space left on device",
  );
  expect(machineTrouble("all well")).toBeUndefined();
});
