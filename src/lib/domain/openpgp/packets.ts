import { createHash } from "node:crypto";

/** One packet of an OpenPGP message or key (RFC 9580, section 4). */
export interface Packet {
  /** Packet type. */
  readonly tag: number;
  /** The contents alone, and the whole packet with its header. */
  readonly body: Buffer;
  readonly whole: Buffer;
}

/** Packet types that matter here (RFC 9580, section 5). */
const tags = { signature: 2, publicKey: 6, publicSubkey: 14 } as const;

/**
 * Splits bytes into packets, reading only their headers; gpg validates the contents.
 *
 * @throws RangeError when the bytes are not complete packets of definite length
 */
export function packetsOf(bytes: Buffer): Packet[] {
  const packets: Packet[] = [];
  for (let at = 0; at < bytes.length;) {
    const { tag, headed, length } = headerAt(bytes, at);
    const end = at + headed + length;
    if (end > bytes.length) throw new RangeError("a packet is cut short");
    packets.push({
      tag,
      body: bytes.subarray(at + headed, end),
      whole: bytes.subarray(at, end),
    });
    at = end;
  }
  return packets;
}

interface Header {
  readonly tag: number;
  /** Bytes of the header, and of the contents. */
  readonly headed: number;
  readonly length: number;
}

/** Reads a header of the old or new format. Partial and indeterminate lengths are refused: keys never use them. */
function headerAt(bytes: Buffer, at: number): Header {
  const first = bytes.readUInt8(at);
  if (first < 0x80) throw new RangeError("no packet begins here");
  if ((first & 0x40) === 0) {
    const size = [1, 2, 4][first & 3];
    if (size === undefined) throw new RangeError("a packet without a length");
    return {
      tag: (first >> 2) & 15,
      headed: 1 + size,
      length: bytes.readUIntBE(at + 1, size),
    };
  }
  const tag = first & 0x3f;
  const { size, length } = newLengthAt(bytes, at + 1);
  return { tag, headed: 1 + size, length };
}

function newLengthAt(
  bytes: Buffer,
  at: number,
): { readonly size: number; readonly length: number } {
  const first = bytes.readUInt8(at);
  if (first < 192) return { size: 1, length: first };
  if (first < 224)
    return {
      size: 2,
      length: ((first - 192) << 8) + bytes.readUInt8(at + 1) + 192,
    };
  if (first < 255) throw new RangeError("a packet in parts");
  return { size: 5, length: bytes.readUInt32BE(at + 1) };
}

/** A public key in a file: its packets, and the key ids of the primary key and the subkeys. */
export interface KeyPackets {
  /** Upper-case hexadecimal digits. */
  readonly fingerprint: string;
  readonly keyIds: readonly string[];
  /** Number of packets: keys, user IDs and signatures. */
  readonly packets: number;
  readonly bytes: Buffer;
}

/**
 * The public keys in a binary key file.
 *
 * @throws RangeError when it is no key file, or contains a key of an unknown version
 */
export function publicKeysOf(bytes: Buffer): KeyPackets[] {
  const keys: { ids: string[]; fingerprint: string; parts: Buffer[] }[] = [];
  for (const { tag, body, whole } of packetsOf(bytes)) {
    if (tag === tags.publicKey)
      keys.push({ fingerprint: fingerprintOf(body), ids: [], parts: [] });
    const key = keys.at(-1);
    if (key === undefined) throw new RangeError("it begins with no key");
    if (tag === tags.publicKey || tag === tags.publicSubkey)
      key.ids.push(keyIdOf(fingerprintOf(body)));
    key.parts.push(whole);
  }
  return keys.map(({ fingerprint, ids, parts }) => ({
    fingerprint,
    keyIds: ids,
    packets: parts.length,
    bytes: Buffer.concat(parts),
  }));
}

/** Fingerprint of a key of version 4 (RFC 9580, section 5.5.4.2) or 5 (GnuPG 2.3). */
function fingerprintOf(body: Buffer): string {
  const length = Buffer.alloc(5);
  switch (body.at(0)) {
    case 4:
      length.writeUInt8(0x99, 2);
      length.writeUInt16BE(body.length, 3);
      return digest("sha1", [length.subarray(2), body]);
    case 5:
      length.writeUInt8(0x9a);
      length.writeUInt32BE(body.length, 1);
      return digest("sha256", [length, body]);
    case undefined:
    default:
      throw new RangeError(
        `a key of version ${body.at(0) ?? "none"}, which is not accepted`,
      );
  }
}

function digest(algorithm: string, parts: readonly Buffer[]): string {
  const hash = createHash(algorithm);
  for (const part of parts) hash.update(part);
  return hash.digest("hex").toUpperCase();
}

/** The key id: the last 64 bits of a version 4 fingerprint, the first 64 bits of a version 5 one. */
function keyIdOf(fingerprint: string): string {
  return fingerprint.length === 40
    ? fingerprint.slice(-16)
    : fingerprint.slice(0, 16);
}

/**
 * The key ids of the keys that a signature claims to be made with. They are unverified, and only select
 * the keys to check the signature with.
 *
 * @throws RangeError when the bytes are not exactly one signature
 */
export function issuersOf(bytes: Buffer): string[] {
  const [packet, another] = packetsOf(bytes);
  if (packet?.tag !== tags.signature)
    throw new RangeError("it is not a signature");
  if (another !== undefined)
    throw new RangeError(
      another.tag === tags.signature
        ? "there is more than one"
        : "there is more than a signature in it",
    );
  const { body } = packet;
  const version = body.readUInt8(0);
  if (version !== 4 && version !== 5)
    throw new RangeError(`it is of version ${version}, which is not accepted`);
  const hashed = body.readUInt16BE(4);
  const unhashed = body.readUInt16BE(6 + hashed);
  return [
    body.subarray(6, 6 + hashed),
    body.subarray(8 + hashed, 8 + hashed + unhashed),
  ].flatMap(issuersIn);
}

/** Key ids from the subpackets issuer (16) and issuer fingerprint (33) of a signature (RFC 9580, section 5.2.3). */
function issuersIn(area: Buffer): string[] {
  const found: string[] = [];
  for (let at = 0; at < area.length;) {
    const { size, length } = subpacketLengthAt(area, at);
    const start = at + size;
    const end = start + length;
    if (length === 0 || end > area.length)
      throw new RangeError("it is cut short");
    const type = area.readUInt8(start) & 0x7f;
    const data = area
      .subarray(start + 1, end)
      .toString("hex")
      .toUpperCase();
    if (type === 16) found.push(data);
    else if (type === 33) found.push(keyIdOf(data.slice(2)));
    at = end;
  }
  return found;
}

function subpacketLengthAt(
  area: Buffer,
  at: number,
): { readonly size: number; readonly length: number } {
  const first = area.readUInt8(at);
  if (first < 192) return { size: 1, length: first };
  if (first < 255)
    return {
      size: 2,
      length: ((first - 192) << 8) + area.readUInt8(at + 1) + 192,
    };
  return { size: 5, length: area.readUInt32BE(at + 1) };
}

/** Bytes; far above any real signature. gpg would spend time on every packet of a huge one. */
const longestSignature = 32 * 1024;

/**
 * Decodes OpenPGP armour (RFC 9580, section 6.2).
 *
 * @param lines the lines between the first and the last line of the armour
 * @throws RangeError when they are not valid armour, or too long
 */
export function unarmoured(lines: readonly string[]): Buffer {
  const blank = lines.indexOf("");
  const body = lines.slice(blank + 1);
  if (body.at(-1)?.startsWith("=") === true) body.pop(); // the checksum, which gpg verifies
  const text = body.join("");
  if (text.length > longestSignature) throw new RangeError("it is too long");
  const headers = lines.slice(0, Math.max(blank, 0));
  if (
    blank < 0 ||
    body.includes("") ||
    !headers.every((line) => /^[A-Za-z]{1,32}: /.test(line)) ||
    !/^[A-Za-z0-9+/]+={0,2}$/.test(text)
  )
    throw new RangeError("its armour is broken");
  return Buffer.from(text, "base64");
}
