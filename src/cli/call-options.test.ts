import { expect, test } from "vitest";

import type { Explanation } from "../lib/domain/explain/explanation.ts";
import { withExactCommands } from "./exact-command.ts";

const explanation: Explanation = {
  ticket: 7,
  blocked: true,
  step: { code: 999, name: "Failed" },
  because: ["it failed"],
  next: null,
  expected: null,
  unblock: "ubuntu-ci retry 7",
  commands: [
    { command: "ubuntu-ci retry 7", effect: "queues it again" },
    { command: "apt-get install sbuild", effect: "gets what is missing" },
  ],
};

test("adds the state folder and configuration that were given, so that the command can be run as it is", () => {
  const { unblock, commands } = withExactCommands(explanation, {
    stateDir: "/srv/it's here",
    config: "/etc/ci.json",
  });
  const exact =
    "ubuntu-ci retry 7 --state-dir '/srv/it'\\''s here' --config /etc/ci.json";
  expect(unblock).toBe(exact);
  expect(commands.map(({ command }) => command)).toEqual([
    exact,
    "apt-get install sbuild",
  ]);
});

test("says no more than the default needs", () => {
  expect(withExactCommands(explanation, {})).toEqual(explanation);
});
