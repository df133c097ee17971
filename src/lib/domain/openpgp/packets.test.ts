import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { issuersOf, packetsOf, publicKeysOf, unarmoured } from "./packets.ts";

const packet = (tag: number, body: readonly number[]) => [
  0xc0 | tag,
  body.length,
  ...body,
];
const key = (version: number, fill: number) =>
  packet(6, [version, ...Array<number>(30).fill(fill)]);

describe("packets", () => {
  test("have headers of the old and of the new form", () => {
    const bytes = Buffer.concat([
      Buffer.from([0x80 | (13 << 2), 1, 65]),
      Buffer.from([0x80 | (13 << 2) | 1, 0, 1, 66]),
      Buffer.from([0x80 | (13 << 2) | 2, 0, 0, 0, 1, 67]),
      Buffer.from([0xcd, 1, 68]),
      Buffer.from([0xcd, 192, 0]),
      Buffer.alloc(192, 69),
      Buffer.from([0xcd, 255, 0, 0, 0, 1, 70]),
    ]);
    const packets = packetsOf(bytes);
    expect(packets.map(({ tag }) => tag)).toEqual([13, 13, 13, 13, 13, 13]);
    expect(
      packets.map(({ body }) => body.toString("latin1", 0, 1)).join(""),
    ).toBe("ABCDEF");
    expect(Buffer.concat(packets.map(({ whole }) => whole))).toEqual(bytes);
  });

  test.each([
    ["text", [0x68, 0x65]],
    ["one without a length", [0x80 | (13 << 2) | 3, 65]],
    ["one in parts", [0xcd, 224, 65]],
    ["one cut short", [0xcd, 9, 65]],
    ["a header cut short", [0xcd, 255, 0]],
    ["a header without a length", [0xcd]],
  ])("are refused of %s", (_what, bytes) => {
    expect(() => packetsOf(Buffer.from(bytes))).toThrow(RangeError);
  });

  test("of any bytes are read or refused, and nothing else happens", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        for (const read of [packetsOf, publicKeysOf, issuersOf])
          try {
            read(Buffer.from(bytes));
          } catch (thrown) {
            expect(thrown).toBeInstanceOf(RangeError);
          }
      }),
    );
  });
});

describe("public keys", () => {
  test("go from one key to the next", () => {
    const bytes = Buffer.from([
      ...key(4, 1),
      ...packet(13, [65]),
      ...packet(14, [4, 9]),
      ...key(5, 2),
    ]);
    const [first, second] = publicKeysOf(bytes);
    expect(first).toMatchObject({ packets: 3 });
    expect(first?.fingerprint).toMatch(/^[0-9A-F]{40}$/);
    expect(first?.keyIds).toHaveLength(2);
    expect(first?.keyIds[0]).toBe(first?.fingerprint.slice(-16));
    expect(second?.fingerprint).toMatch(/^[0-9A-F]{64}$/);
    expect(second?.keyIds[0]).toBe(second?.fingerprint.slice(0, 16));
  });

  test("of version 3 have no fingerprint that could be trusted", () => {
    expect(() => publicKeysOf(Buffer.from(key(3, 1)))).toThrow(
      "a key of version 3, which is not accepted",
    );
  });

  test("do not begin with anything else", () => {
    expect(() => publicKeysOf(Buffer.from(packet(13, [65])))).toThrow(
      "it begins with no key",
    );
  });
});

describe("a signature", () => {
  const id = [1, 2, 3, 4, 5, 6, 7, 8];
  const body = (version: number, subpackets: readonly number[]) => [
    ...[version, 1, 22, 10, 0, 0, 0, subpackets.length, ...subpackets],
    ...[0, 0],
  ];

  test("names the key it is of", () => {
    const subpackets = [9, 16, ...id];
    expect(issuersOf(Buffer.from(packet(2, body(4, subpackets))))).toEqual([
      "0102030405060708",
    ]);
    const long = [22, 33, 4, ...Array<number>(12).fill(0), ...id];
    expect(issuersOf(Buffer.from(packet(2, body(4, long))))).toEqual([
      "0102030405060708",
    ]);
  });

  test("of version 3, a second one, and anything else are refused", () => {
    const one = packet(2, body(4, []));
    const refused = (bytes: readonly number[], message: string) => {
      expect(() => issuersOf(Buffer.from(bytes))).toThrow(message);
    };
    refused(packet(2, body(3, [])), "of version 3");
    refused([...one, ...one], "more than one");
    refused([...one, ...packet(11, [65])], "more than a signature");
    refused(packet(11, [65]), "not a signature");
    refused([], "not a signature");
    refused(packet(2, body(4, [0])), "cut short");
    refused(packet(2, body(4, [9, 16])), "cut short");
  });

  test("is in an armour of nothing but itself", () => {
    const bytes = (lines: readonly string[]) => unarmoured(lines).toString();
    expect(bytes(["", "aGVs", "bG8=", "=AAAA"])).toBe("hello");
    expect(bytes(["Version: GnuPG v2", "", "aGVsbG8="])).toBe("hello");
    for (const lines of [
      ["aGVsbG8="],
      ["", "aGVs bG8="],
      ["", "-aGVsbG8="],
      ["", "aGVs", "", "bG8="],
      ["no header", "", "aGVsbG8="],
      [""],
    ])
      expect(() => unarmoured(lines)).toThrow("its armour is broken");
    expect(() => unarmoured(["", "A".repeat(40_000)])).toThrow("too long");
  });
});
