import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { pieceLength, readLog } from "./log-reader.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "log-reader-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The lines of a log, those that continue another with a `+`. */
async function linesOf(
  contents: string | Uint8Array,
  name = "a.log",
): Promise<string[]> {
  const path = join(folder, name);
  writeFileSync(path, contents);
  const lines: string[] = [];
  await readLog(
    path,
    (text, continues) => lines.push(`${continues ? "+" : ""}${text}`),
    () => Promise.resolve(),
  );
  return lines;
}

describe("the lines of a log", () => {
  test("end with a newline, the last one also without", async () => {
    expect(await linesOf("a\n\nb")).toEqual(["a", "", "b"]);
    expect(await linesOf("a\n")).toEqual(["a"]);
    expect(await linesOf("")).toEqual([]);
  });

  test("are the same when it is compressed", async () => {
    const text = "größer\n".repeat(50_000);
    expect(await linesOf(gzipSync(text), "a.log.gz")).toEqual(
      await linesOf(text),
    );
  });

  test("show bytes that are no UTF-8 as escapes", async () => {
    const bytes = Buffer.from("a\xffb\xc3(\xe2\x82\n\xed\xa0\x80ü", "latin1");
    expect(await linesOf(bytes)).toEqual([
      String.raw`a\xffb\xc3(\xe2\x82`,
      String.raw`\xed\xa0\x80\xfc`,
    ]);
  });

  test("that are too long come in pieces, which keep characters whole", async () => {
    const long = `${"x".repeat(pieceLength - 1)}😀${"y".repeat(pieceLength)}`;
    expect(await linesOf(`${long}\nz\n`)).toEqual([
      "x".repeat(pieceLength - 1),
      `+😀${"y".repeat(pieceLength - 2)}`,
      "+yy",
      "z",
    ]);
  });

  test("do not depend on where reading paused", async () => {
    // Reading pauses after 64 KiB, between the bytes of some of these characters.
    for (const shift of ["", "a", "aa", "aaa"]) {
      const lines = [shift, ...Array.from({ length: 9000 }, () => "ü€😀·")];
      expect(await linesOf(lines.join("\n"))).toEqual(lines);
    }
  });

  test("decode all that is UTF-8, and lose no byte that is not", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof(
            fc.uint8Array({ maxLength: 5 }),
            fc.string({ unit: "grapheme", maxLength: 5 }),
          ),
        ),
        async (parts) => {
          const bytes = Buffer.concat(parts.map((part) => Buffer.from(part)));
          const path = join(folder, "any.log");
          writeFileSync(path, bytes);
          let text = "";
          const size = await readLog(
            path,
            (line) => (text += `${line}\n`),
            () => Promise.resolve(),
          );
          expect(size).toBe(bytes.length);
          const utf8 = bytes.toString("utf8");
          const isUtf8 = Buffer.from(utf8).equals(bytes);
          const ended = text.replace(/\n$/, "");
          if (isUtf8) expect(ended).toBe(utf8.replace(/\n$/, ""));
          else expect(ended).not.toContain("\ufffd");
          const back = Buffer.concat(
            ended
              .split(/(\\x[89a-f][0-9a-f])/)
              .map((part, at) =>
                at % 2 === 0
                  ? Buffer.from(part)
                  : Buffer.from(part.slice(2), "hex"),
              ),
          );
          if (!bytes.includes("\\x"))
            expect(back.toString("hex")).toBe(
              bytes.toString("hex").replace(/^((?:..)*)0a$/, "$1"),
            );
        },
      ),
      { numRuns: 300 },
    );
  });

  test("are not read on after the signal", async () => {
    writeFileSync(join(folder, "stop.log"), "a\n");
    const stopped = AbortSignal.abort(new Error("stopped"));
    await expect(
      readLog(
        join(folder, "stop.log"),
        () => undefined,
        () => Promise.resolve(),
        stopped,
      ),
    ).rejects.toThrow("stopped");
  });

  test("cannot be read of a file that is not compressed as its name says", async () => {
    await expect(linesOf("plain", "b.log.gz")).rejects.toThrow("header");
    await expect(
      readLog(
        join(folder, "none.log.gz"),
        () => undefined,
        () => Promise.resolve(),
      ),
    ).rejects.toThrow("ENOENT");
  });
});
