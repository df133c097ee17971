import {
  appendFileSync,
  mkdtempSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, test } from "vitest";

import { lineLimit } from "../domain/output-lines.ts";
import { growingLines } from "./follow-file.ts";

test("tells each line once, also what is written just before the end, wherever the file is by then", async () => {
  const folder = mkdtempSync(join(tmpdir(), "follow-"));
  try {
    const file = join(folder, "build.log");
    writeFileSync(file, "first\nsec");
    const whole = new AbortController();
    const lines: string[] = [];
    for await (const line of growingLines(file, whole.signal)) {
      lines.push(line);
      if (line === "first") appendFileSync(file, "ond\n\nthird\n");
      if (line === "third") {
        renameSync(file, join(folder, "kept.log"));
        appendFileSync(join(folder, "kept.log"), "last, without an end");
        whole.abort();
      }
    }
    expect(lines).toEqual([
      "first",
      "second",
      "",
      "third",
      "last, without an end",
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("of a line without an end it keeps the beginning", async () => {
  const folder = mkdtempSync(join(tmpdir(), "follow-"));
  try {
    const file = join(folder, "build.log");
    writeFileSync(file, `${"x".repeat(3_000_000)}\nshort\n`);
    const lengths: number[] = [];
    for await (const line of growingLines(file, AbortSignal.abort()))
      lengths.push(line.length);
    expect(lengths).toEqual([lineLimit, 5]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
