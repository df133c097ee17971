import { expect, test } from "vitest";

import { readRemoved } from "../apt-verdict.ts";
import { plannedListing, listingDifference } from "./manifest.ts";

const before =
  "apt\t2.6\tamd64\tii \nbar\t1\tamd64\tii \nold\t1\tall\trc \nsame\t1\tall\tii \n";

test("what apt plans gives the listing of afterwards", () => {
  const planned = plannedListing(
    before,
    [
      { package: "new", version: "1:2", architecture: "amd64" },
      { package: "same", version: "2", architecture: "amd64" },
    ],
    ["bar"],
  );
  expect(planned).toBe(
    "apt\t2.6\tamd64\tii \nnew\t1:2\tamd64\tii \nsame\t2\tamd64\tii \n",
  );
  expect(
    listingDifference(planned, `${planned}old\t1\tall\trc \n`),
  ).toBeUndefined();
  expect(listingDifference(planned, before)).toBe("new 1:2 amd64 is not there");
  expect(listingDifference(planned, `${planned}evil\t9\tall\tii \n`)).toBe(
    "evil 9 all is there",
  );
});

test("what apt removes is read from what it says", () => {
  expect(
    readRemoved(
      "Reading state information...\nThe following packages will be REMOVED:\n  foo* bar\n  baz*\nThe following NEW packages will be installed:\n  new\n",
    ),
  ).toEqual(["bar", "baz", "foo"]);
});
