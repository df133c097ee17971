import { afterEach, beforeEach, expect, test } from "vitest";

import { StoredTicket } from "../../../test/support/stored-ticket.ts";
import { addPpa } from "./ppas.ts";
import { queuePosition, queuePositions } from "./queue.ts";

let stored: StoredTicket;
beforeEach(() => (stored = new StoredTicket()));
afterEach(() => stored.remove());

test("a ticket that has its PPA already is in no queue, though its first step is tried again", async () => {
  const { db } = stored;
  await stored.insert();
  await stored.insert();
  expect([...queuePositions(db)]).toEqual([
    [1, 1],
    [2, 2],
  ]);
  addPpa(db, "ci_pool-001", "me");
  db.exec("UPDATE ppa SET state = 'reserved', ticket = 1");
  expect([queuePosition(db, 1), queuePosition(db, 2)]).toEqual([null, 1]);
  expect([...queuePositions(db)]).toEqual([[2, 1]]);
});
