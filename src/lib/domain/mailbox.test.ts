import { expect, test } from "vitest";

import { isMailAddress, parseMailbox } from "./mailbox.ts";

test.each([
  "dev@example.com",
  "o'neill+ci@mail.example.com",
  "müller@bücher.example",
  "root@localhost",
])("mail can go to %s", (address) => {
  expect(isMailAddress(address)).toBe(true);
});

test.each([
  "",
  "nobody",
  "a,b@example.com",
  "a b@example.com",
  "-f@example.com",
  "a@-example.com",
  '"a"@example.com',
  "a@b@example.com",
  "a@example.com\nBcc: b@example.com",
  "a@example.com\r\nRCPT TO:<b@example.com>",
  "a\u202e@example.com",
  "<a@example.com>",
  "a@example.com;b",
  "group:a@example.com",
  "|sh@example.com",
  `${"a".repeat(250)}@example.com`,
])("mail cannot go to %j", (address) => {
  expect(isMailAddress(address)).toBe(false);
});

test.each([
  ["ci@example.com", { name: "", address: "ci@example.com" }],
  [
    ' Jörg, the "boss" <ci@example.com>',
    { name: 'Jörg, the "boss"', address: "ci@example.com" },
  ],
  ["<ci@example.com>", { name: "", address: "ci@example.com" }],
  ["CI\nBcc: x <ci@example.com>", null],
  ["CI <ci@example.com> <b@example.com>", null],
  ["CI", null],
])("%j is read as a sender", (text, mailbox) => {
  expect(parseMailbox(text)).toEqual(mailbox);
});
