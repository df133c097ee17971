import fc from "fast-check";
import { describe, expect, test } from "vitest";

import type { Stanza } from "./deb822.ts";
import {
  Deb822Error,
  eachStanza,
  parseDeb822,
  serialiseDeb822,
  withoutSignature,
} from "./deb822.ts";

describe("deb822", () => {
  test("fields are found whatever their case, continuation lines kept", () => {
    const [stanza] = parseDeb822(
      "Source: hello\nFiles:\n a 1 x\n b 2 y\nDescription: short\n long\n .\n more\n",
    );
    expect(stanza?.get("source")).toBe("hello");
    expect(stanza?.get("FILES")).toBe("\n a 1 x\n b 2 y");
    expect(stanza?.get("Description")).toBe("short\n long\n .\n more");
  });

  test("a stanza ends at an empty line, also one of blanks", () => {
    expect(
      parseDeb822("A: 1\n\nB: 2\n \t\nC: 3\n").map(
        ({ fields }) => fields.length,
      ),
    ).toEqual([1, 1, 1]);
  });

  test("only blanks make an empty line: U+00A0 and U+3000 are content", () => {
    expect(
      parseDeb822("A:\n  \u00a0\n \u3000\n").map((one) => one.get("A")),
    ).toEqual(["\n  \u00a0\n \u3000"]);
    expect(parseDeb822("A: \u00a0b\u00a0\n")[0]?.get("A")).toBe(
      "\u00a0b\u00a0",
    );
  });

  test("carriage returns at the end of lines are left out", () => {
    expect(
      parseDeb822("A: b \r\n c\r\r\n\r\nB: d\r \r\n").map(
        ({ fields }) => fields,
      ),
    ).toEqual([[["A", "b\n c"]], [["B", "d"]]]);
  });

  test("a comment within a field leaves its lines in their order", () => {
    expect(
      parseDeb822("A: a\n b\n# x\n c\n d\n# y\nB: e\n", {
        comments: true,
      })[0]?.fields,
    ).toEqual([
      ["A", "a\n b\n c\n d"],
      ["B", "e"],
    ]);
  });

  test("of a text whose first stanzas are all that is wanted the rest is not read", () => {
    const [first] = eachStanza("A: 1\n\nB: 2\n\nnot a field\n");
    expect(first?.get("A")).toBe("1");
  });

  test("whatever is parsed, written and parsed again is the same", () => {
    const texts = fc
      .array(
        fc.constantFrom(
          ...["A: ", "b", " ", "\t", "\n", "\n", "\r", "#", ":", "\u00a0"],
          ...["B:", "C: x\n", "\n d", "\n\n"],
        ),
        { maxLength: 20 },
      )
      .map((parts) => parts.join(""));
    fc.assert(
      fc.property(texts, (text) => {
        const fieldsOf = (stanzas: readonly Stanza[]) =>
          stanzas.map(({ fields }) => fields);
        let parsed;
        try {
          parsed = parseDeb822(text);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(Deb822Error);
          return;
        }
        expect(fieldsOf(parseDeb822(serialiseDeb822(parsed)))).toEqual(
          fieldsOf(parsed),
        );
      }),
      { numRuns: 2000 },
    );
  });

  test("what was parsed comes out the same", () => {
    const text =
      "Package: a\nVersion: 1\nFiles:\n x 1 y\n\nPackage: b\nEmpty:\n";
    expect(serialiseDeb822(parseDeb822(text))).toBe(text);
  });

  test("comments are only taken where the format has them", () => {
    expect(
      parseDeb822("# c\nA: 1\n# d\n B\n", { comments: true })[0]?.get("A"),
    ).toBe("1\n B");
    expect(() => parseDeb822("# c\nA: 1\n")).toThrow("line 1: not a field");
  });

  test.each([
    ["A: 1\na: 2\n", "line 2: the field a is there twice"],
    [" x\n", "line 1: a continuation line without a field"],
    ["A: 1\nno field\n", "line 2: not a field"],
    ["-A: 1\n", "line 1: not a field"],
  ])("%j is refused with its line", (text, message) => {
    expect(() => parseDeb822(text)).toThrow(message);
  });
});

describe("clear-signed messages", () => {
  const signed = [
    "-----BEGIN PGP SIGNED MESSAGE-----",
    "Hash: SHA512",
    "",
    "A: 1",
    "- -dash",
    "-----BEGIN PGP SIGNATURE-----",
    "",
    "xx",
    "-----END PGP SIGNATURE-----",
    "",
  ].join("\n");

  test("the text inside, dashes unescaped", () => {
    expect(withoutSignature(signed)).toEqual({
      text: "A: 1\n-dash\n",
      signed: true,
    });
  });

  test("text without armour is not signed", () => {
    expect(withoutSignature("A: 1\n")).toEqual({
      text: "A: 1\n",
      signed: false,
    });
  });

  test("nothing may stand before it, after it, or in it", () => {
    expect(() => withoutSignature(`B: 2\n${signed}`)).toThrow(
      "before the signed message",
    );
    expect(() => withoutSignature(`${signed}B: 2\n`)).toThrow(
      "after the signed message",
    );
    expect(() =>
      withoutSignature(
        signed.replace("A: 1", "-----BEGIN PGP SIGNED MESSAGE-----"),
      ),
    ).toThrow("inside another");
    expect(() => withoutSignature(signed.slice(0, 80))).toThrow("cut short");
  });
});

test("a line that is empty for other readers alone is refused", () => {
  for (const odd of ["\v", "\f", "\x1c", "\v \f"])
    expect(() => parseDeb822(`A: b\n ${odd}\n c\nD: e\n`)).toThrow(
      "line 2: a line of control characters",
    );
  expect(parseDeb822("A: b\n x\v\n c\n")[0]?.get("A")).toBe("b\n x\v\n c");
});
