import fc from "fast-check";
import { describe, expect, test } from "vitest";

import type { Problem } from "../domain/error.ts";
import { addressOf, readChanges } from "./changes.ts";
import { mostProblems, readStanza, withoutVersion } from "./control-file.ts";
import { adviceText } from "../host/command-line.ts";

/** Texts in which what a pattern looks for is not rare. */
const textsOf = (...characters: string[]) =>
  fc
    .array(fc.constantFrom(...characters), { maxLength: 24 })
    .map((list) => list.join(""));

const read = (contents: Uint8Array | string) => {
  const problems: Problem[] = [];
  const stanza = readStanza(contents, "x", problems)?.stanza;
  return (
    stanza?.get("A") ??
    problems.map(({ message }) => adviceText(message)).join()
  );
};

describe("contents of a control file", () => {
  test("are UTF-8, decoded strictly", () => {
    expect(read(Buffer.from("A: é\n"))).toBe("é");
    expect(read(Buffer.from("A: é\n", "latin1"))).toBe("is not UTF-8 text");
    expect(read(Buffer.from("A: \xed\xa0\x80\n", "latin1"))).toBe(
      "is not UTF-8 text",
    );
    expect(read(Buffer.from("A: \xc0\x80\n", "latin1"))).toBe(
      "is not UTF-8 text",
    );
  });

  test("may have U+FFFD, which is a character like others", () => {
    expect(read(Buffer.from("A: \ufffd\n"))).toBe("\ufffd");
  });

  test("have no NUL and no byte order mark", () => {
    expect(read(Buffer.from("A: \0\n"))).toBe("is not UTF-8 text");
    expect(read("A: \0\n")).toBe("is not UTF-8 text");
    expect(read(Buffer.from("\ufeffA: b\n"))).toContain("not a field");
  });

  test("are one stanza", () => {
    expect(read("A: b\n\nB: c\n")).toBe("has more than one stanza");
    expect(read("")).toBe("is empty");
    expect(read("\n \n")).toBe("has no fields");
  });
});

test("of a list with more wrong lines than anybody reads the first are told", () => {
  const problems: Problem[] = [];
  readChanges(`Files:${"\n x".repeat(100_000)}\n`, "x", problems);
  const ofFiles = problems.filter(({ field }) => field === "Files");
  expect(ofFiles.length).toBeLessThanOrEqual(mostProblems + 1);
  expect(problems.at(-1)?.message).toBe("has more that is wrong");
});

test.each([
  ["hello (1.0-1)", "hello"],
  ["hello", "hello"],
  ["hello (1) (2)", "hello"],
  ["hello (\n1)", "hello (\n1)"],
])("the name in %j is %j", (source, name) => {
  expect(withoutVersion(source)).toBe(name);
});

test("the name is what the pattern / \\(.*\\)$/ leaves", () => {
  fc.assert(
    fc.property(textsOf(" ", "(", ")", "a"), (text) => {
      expect(withoutVersion(text)).toBe(text.replace(/ \(.*\)$/, ""));
    }),
  );
});

test("the address is what the pattern /<([^<>]+)>\\s*$/ finds", () => {
  fc.assert(
    fc.property(textsOf(" ", "<", ">", "a", "\n", "\u00a0"), (text) => {
      expect(addressOf(text)).toBe(/<([^<>]+)>\s*$/.exec(text)?.[1] ?? "");
    }),
  );
});

describe("lists of files", () => {
  const sha256 = "a".repeat(64);
  const md5 = "b".repeat(32);
  const problemsOf = (further: string, files = ` ${md5} 1 x.tar.xz\n`) => {
    const problems: Problem[] = [];
    readChanges(
      `Format: 1.8\nDate: x\nSource: xx\nVersion: 1\nArchitecture: source\nDistribution: x\nMaintainer: x\nChanges: x\nChecksums-Sha256:\n ${sha256} 1 x.tar.xz\nFiles:\n${files}${further}`,
      "x",
      problems,
    );
    return problems.map(
      ({ field, message }) => `${field ?? ""} ${adviceText(message)}`,
    );
  };

  test.each(["Sha1", "Sha512", "Md5"])(
    "Checksums-%s names the same files, where it is there",
    (kind) => {
      const sum = "c".repeat({ Sha1: 40, Sha512: 128 }[kind] ?? 32);
      const field = `Checksums-${kind}`;
      const line = ` ${sum} 1 x.tar.xz\n`;
      expect(problemsOf("")).toEqual([]);
      expect(problemsOf(`${field}:\n${line}`)).toEqual([]);
      expect(problemsOf(`${field}:\n${line}${line}`)).toEqual([
        `${field} x.tar.xz is there twice`,
      ]);
      for (const other of [` ${sum} 1 y.diff.gz\n`, ` ${sum} 2 x.tar.xz\n`])
        expect(problemsOf(`${field}:\n${line}${other}`)).toEqual([
          `${field} ${JSON.stringify(other.trim())} is not what Checksums-Sha256 says`,
        ]);
      expect(problemsOf(`${field}:\n ${sum}c 1 x.tar.xz\n`)).toEqual([
        expect.stringContaining("is not CHECKSUM SIZE NAME"),
      ]);
    },
  );

  test("a line of Files begins with an MD5 sum, as dpkg demands", () => {
    expect(problemsOf("", " x 1 x.tar.xz\n")).toEqual([
      'Files "x 1 x.tar.xz" does not begin with an MD5 sum',
    ]);
  });
});
