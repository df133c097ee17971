import type { Setting } from "../domain/setting.ts";

export const shepherdSettings = [
  {
    key: "qa.graceDays",
    kind: { type: "integer", min: 0, max: 3650 },
    default: 3,
    help: "days that a landing may wait to be tested, or a ticket be held, until `remind` tells the list",
  },
  {
    key: "remind.list",
    kind: { type: "string" },
    default: null,
    help: "address that `remind` tells what needs somebody; default: nobody is told",
  },
  {
    key: "remind.hour",
    kind: { type: "integer", min: 0, max: 23 },
    default: 6,
    help: "hour, UTC, from which `remind` sends the reminders of a day",
  },
  {
    key: "remind.failed",
    kind: { type: "boolean" },
    default: true,
    help: "whether `remind` tells owners that a ticket of theirs failed",
  },
  {
    key: "remind.published",
    kind: { type: "boolean" },
    default: true,
    help: "whether `remind` tells owners that a ticket of theirs is published",
  },
  {
    key: "remind.except",
    kind: { type: "list" },
    default: [],
    help: "addresses that `remind` sends nothing; * stands for any characters, ? for one",
  },
  {
    key: "policy.maxLetThrough",
    kind: { type: "integer", min: 0, max: 1_000_000 },
    default: 0,
    help: "most tickets that were stopped and that a new policy may let through without --force",
    trust: true,
  },
] as const satisfies readonly Setting[];
