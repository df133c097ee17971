import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { StoredTicket } from "../../../test/support/stored-ticket.ts";
import type { Store } from "../backends/store/store.ts";
import { getTicket } from "../state/tickets.ts";
import type { Engine } from "./engine.ts";
import { stepInput } from "./step-input.ts";

let state: StoredTicket;
beforeEach(async () => {
  state = new StoredTicket();
  await state.insert();
});
afterEach(() => state.remove());

function inputFrom(store: Store, folder: () => string) {
  const engine = { db: state.db, store, paths: state.paths } as Engine;
  return stepInput(engine, getTicket(state.db, 1), folder);
}

test("a step reads the files of a local store where they are", async () => {
  const { sources } = await inputFrom(state.store, () => {
    throw new Error("nothing is to be copied");
  });
  expect(sources).toMatchObject([
    { source: "hello", dsc: join(state.paths.store, "ticket.1/hello_1.0.dsc") },
  ]);
});

test("a step gets copies from a store that can't show paths, side by side", async () => {
  const remote = Object.fromEntries(
    Object.entries(state.store).filter(([name]) => name !== "pathOf"),
  ) as unknown as Store;
  const folder = join(state.paths.root, "copies");
  mkdirSync(folder);
  const { sources } = await inputFrom(remote, () => folder);
  expect(sources[0]?.dsc).toBe(join(folder, "hello_1.0.dsc"));
  for (const name of ["hello_1.0.dsc", "hello_1.0.tar.xz"])
    expect(readFileSync(join(folder, name), "utf8")).toBe(name);
});
