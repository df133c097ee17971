import { expect, test } from "vitest";

import type { TestedVersion } from "./test-history.ts";
import { testHistory } from "./test-history.ts";
import type { JudgedTest } from "./ticket.ts";

/** A version with tests as `name:result`; a `!` after it is one that is ignored. */
const version = (number: string, ...tests: string[]): TestedVersion => ({
  ticket: 1,
  version: number,
  tests: tests.map((text): JudgedTest => {
    const [name = "", result = ""] = text.replace("!", "").split(":");
    return {
      package: "hello",
      name,
      result: result as JudgedTest["result"],
      seconds: 1,
      detail: "",
      verdict: text.endsWith("!") ? "known" : null,
    };
  }),
});

const said = (...versions: TestedVersion[]) =>
  testHistory(versions).map(
    ({ name, state, lastGood }) => `${name} ${state} ${lastGood ?? "never"}`,
  );

test("tells new failures from known, flaky and old ones", () => {
  expect(
    said(
      version(
        "2",
        "a:fail",
        "b:fail",
        "c:fail!",
        "d:flaky",
        "e:pass",
        "g:skip",
      ),
      version("1", "a:pass", "b:fail", "c:pass", "d:pass", "e:fail", "f:pass"),
      version("0", "b:pass"),
    ),
  ).toEqual([
    "a new 1",
    "b failing 0",
    "d flaky 1",
    "c known 1",
    "f none 1",
    "g none never",
    "e pass 2",
  ]);
});

test("the same version with another result is flaky, and a renamed test a new one", () => {
  expect(said(version("1", "a:fail"), version("1", "a:pass"))).toEqual([
    "a flaky 1",
  ]);
  expect(said(version("2", "b:fail"), version("1", "a:pass"))).toEqual([
    "b failing never",
    "a none 1",
  ]);
});

test("a version without the test does not hide the one before it", () => {
  expect(
    said(version("3", "a:fail"), version("2"), version("1", "a:pass")),
  ).toEqual(["a new 1"]);
});
