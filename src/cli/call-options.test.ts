import { expect, test } from "vitest";

import { callOptionsOf } from "./call-options.ts";

const ofTickets = (verb: string) => verb === "retry";

test("the state folder and configuration that were given are given again", () => {
  const options = callOptionsOf(
    { stateDir: "/srv/ci", config: "/etc/ci.json" },
    ofTickets,
  );
  const given = ["--state-dir", "/srv/ci", "--config", "/etc/ci.json"];
  expect(options("retry")).toEqual(given);
  expect(options("doctor")).toEqual(given);
});

test("a ticket system elsewhere is named to commands that work on tickets", () => {
  const url = "https://ci.example.org";
  expect(callOptionsOf({ url }, ofTickets)("retry")).toEqual(["--url", url]);
  expect(callOptionsOf({ url }, ofTickets)("doctor")).toEqual([]);
  expect(callOptionsOf({ staging: true }, ofTickets)("retry")).toEqual([
    "--staging",
  ]);
});

test("says no more than the defaults need", () => {
  expect(callOptionsOf({}, ofTickets)("retry")).toEqual([]);
});
