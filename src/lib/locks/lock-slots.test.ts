import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, test } from "vitest";

import { withOneOfLocks } from "./lock-slots.ts";
import { thisProcess } from "../files/process-identity.ts";

test("takes the first free slot, and frees those of dead processes", async () => {
  const folder = mkdtempSync(join(tmpdir(), "lock-slots-"));
  const held = (name: string, start: string) => {
    const process_start = start;
    const holder = {
      ...thisProcess(),
      process_start,
      name,
      since: "",
      command: "",
    };
    writeFileSync(join(folder, `${name}.pid`), JSON.stringify(holder));
  };
  try {
    held("land", thisProcess().process_start);
    held("land.3", "1");
    held("land.4", thisProcess().process_start);
    held("landing", "1");
    const dead: string[] = [];
    const during = await withOneOfLocks(
      folder,
      "land",
      2,
      (found) => dead.push(found?.name ?? ""),
      () => Promise.resolve(readdirSync(folder).sort()),
    );
    expect(during).toEqual([
      "land.2.pid",
      "land.4.pid",
      "land.pid",
      "landing.pid",
    ]);
    expect(dead).toEqual(["land.3"]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
