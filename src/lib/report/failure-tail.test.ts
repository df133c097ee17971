import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

import { afterEach, beforeEach, expect, test } from "vitest";

import type { Ticket } from "../domain/ticket.ts";
import { failureTail } from "./failure-tail.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tail-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const tailOf = (name: string) =>
  failureTail(
    {
      failure: { artifact: name },
      artifacts: [{ name }],
    } as unknown as Ticket,
    (at) => join(folder, at.name),
  );

test("shows the end of a log, packed or not, from the beginning of a line", async () => {
  const text = `${"a line\n".repeat(2000)}the end\n`;
  writeFileSync(join(folder, "a.log"), text);
  writeFileSync(join(folder, "b.log.gz"), gzipSync(text));
  const plain = await tailOf("a.log");
  expect(plain).toMatch(/^(?:a line\n)+the end\n$/);
  expect(await tailOf("b.log.gz")).toBe(plain);
});

test("a log that is gone or damaged is left to fsck, and does not stop the report", async () => {
  const packed = gzipSync("x".repeat(100_000));
  writeFileSync(join(folder, "cut.log.gz"), packed.subarray(0, 50));
  writeFileSync(join(folder, "other.log.gz"), "no gzip");
  for (const name of ["gone.log", "cut.log.gz", "other.log.gz"])
    expect(await tailOf(name)).toBeNull();
});
