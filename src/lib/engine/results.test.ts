import { afterEach, beforeEach, expect, test } from "vitest";

import { StoredTicket } from "../../../test/support/stored-ticket.ts";
import { thisProcess } from "../files/process-identity.ts";
import type { Lease } from "../state/leases.ts";
import { takeLease, takeOverDeadLeases } from "../state/leases.ts";
import { giveUpLease } from "../state/runs.ts";
import { getTicket } from "../state/tickets.ts";
import { tidyContainers } from "./results.ts";

const uploaded = ["hello_1.0.dsc", "hello_1.0.tar.xz"];
let state: StoredTicket;
beforeEach(async () => {
  state = new StoredTicket();
  await state.insert();
});
afterEach(() => state.remove());

function lease(who = thisProcess()): Lease {
  const taken = takeLease(state.db, 100, who, { concurrency: 1 });
  if (taken === null) throw new Error("nothing is ready");
  return taken;
}

test("whoever holds the lease removes what no row names and it has not stored itself", async () => {
  await state.put("left.deb");
  const made = await state.put("made.deb");
  await tidyContainers(state, lease(), [made]);
  expect(await state.names()).toEqual([...uploaded, "made.deb"]);
});

test("whoever has lost the lease removes nothing: the files are another run's", async () => {
  const mine = lease();
  await state.put("theirs.deb");
  state.db.exec("UPDATE run SET finished_at = 'now', outcome = 'tmpfail'");
  await tidyContainers(state, mine);
  expect(await state.names()).toEqual([...uploaded, "theirs.deb"]);
});

test("a dead process' lease is one process' at a time, until it is given up", async () => {
  lease({ ...thisProcess(), process_start: "0" });
  await state.put("left.deb");
  const [dead, ...others] = takeOverDeadLeases(state.db);
  if (dead === undefined) throw new Error("it is not dead");
  expect(others).toEqual([]);
  expect(takeOverDeadLeases(state.db)).toEqual([]);
  await tidyContainers(state, dead);
  expect(await state.names()).toEqual(uploaded);
  giveUpLease(state.db, "me", dead, { limit: 3, firstDelaySeconds: 60 });
  const { status, retry_at, runs } = getTicket(state.db, 1);
  expect({ status, retry_at }).toEqual({ status: "waiting", retry_at: null });
  expect(runs).toMatchObject([
    {
      outcome: "tmpfail",
      reason: expect.stringContaining("was gone before it finished") as string,
    },
  ]);
});
