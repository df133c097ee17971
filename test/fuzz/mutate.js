/** Characters and pieces that formats and patterns care about, or should not. */
const pieces = [
  ...[" ", "\t", "\n", "\n\n", "\r", "\r\n", "\n ", "\n\t", "\v", "\f", "\0"],
  ...[":", ": ", "::", ",", ", ", "|", "(", ")", " (", "<", ">", "[", "]", "!"],
  ...["~", "+", "-", "--", ".", "..", "../", "/", "\\", "'", '"', "`", "$"],
  ...["#", "%", "%3a", "%zz", "&", ";", "*", "=", "@", "_", "{", "}", "a", "Z"],
  ...["0", "00", "-1", "1e3", "0x10", "999999999999999", "9".repeat(20)],
  ...["\u001b[31m", "\u0007", "\u007f", "\u0085", "\u00a0", "\u00ad", "é"],
  ...["\u2028", "\u2029", "\u202e", "\u3000", "\ufeff", "\ufffd", "\u{1f600}"],
  ...["\ud800", "e\u0301", "K", "ſ", "İ", "-----BEGIN PGP SIGNED MESSAGE-----"],
  ...["-----BEGIN PGP SIGNATURE-----", "-----END PGP SIGNATURE-----", "- "],
  ...["Source: x\n", "Version: 1\n", "Files:\n", "Package: x\n", " .\n"],
];

const repeated = [
  ...[" ", " ", "\t", "\r", "\n ", "a", "a ", "0", ".", "-", " (", "<", "<a"],
  ...["a://", "but ", "#", ", ", "\u00a0", "PRIVATE KEY", "a_"],
];

const place = (random, text) => random.whole(0, text.length);

function splice(text, at, length, piece) {
  return text.slice(0, at) + piece + text.slice(at + length);
}

/** Changes one of the lines, or the order of lines. */
function inLines(change) {
  return (random, text, other) => {
    const lines = text.split("\n");
    change(random, lines, random.whole(0, lines.length - 1), other);
    return lines.join("\n");
  };
}

const mutations = [
  (random, text) => splice(text, place(random, text), 0, random.pick(pieces)),
  (random, text) => splice(text, place(random, text), 1, random.pick(pieces)),
  (random, text) => splice(text, place(random, text), random.whole(1, 20), ""),
  // A run, now and then a long one of what patterns repeat.
  (random, text) => {
    const isLong = random.chance(0.02);
    const piece = random.pick(isLong ? repeated : pieces);
    const run = piece.repeat(random.whole(2, isLong ? 65_536 : 40));
    return splice(text, place(random, text), 0, run);
  },
  // A piece of itself or of another text.
  (random, text, other) => {
    const from = random.chance(0.5) ? text : other;
    const begin = place(random, from);
    const piece = from.slice(begin, begin + random.whole(1, 80));
    return splice(text, place(random, text), random.whole(0, 40), piece);
  },
  (random, text) => {
    const at = place(random, text);
    const code = text.charCodeAt(at) || 0;
    const flipped = String.fromCharCode(code ^ (1 << random.whole(0, 7)));
    return splice(text, at, 1, flipped);
  },
  (random, text) => text.slice(0, place(random, text)),
  (random, text) =>
    text.replace(/[0-9]+/, () => String(random.whole(0, 10_000_000_000))),
  (_random, text) => text.replaceAll("\n", "\r\n"),
  (_random, text) => `${text}\n${text}`,
  inLines((_random, lines, at) => lines.splice(at, 1)),
  inLines((random, lines, at) =>
    lines.splice(random.whole(0, lines.length), 0, lines[at]),
  ),
  inLines((random, lines, at) => {
    const to = random.whole(0, lines.length - 1);
    [lines[at], lines[to]] = [lines[to], lines[at]];
  }),
  inLines((_random, lines, at) => (lines[at] = ` ${lines[at]}`)),
  inLines((_random, lines, at) => (lines[at] = lines[at].trimStart())),
  inLines((_random, lines, at) => (lines[at] = lines[at].toUpperCase())),
  inLines((random, lines, at) => (lines[at] += random.pick(pieces))),
  inLines((random, lines, at, other) => {
    const others = other.split("\n");
    lines.splice(at, 0, random.pick(others));
  }),
  // A field once more, with another value.
  inLines((random, lines, at) => {
    const name = lines[at].slice(0, lines[at].indexOf(":") + 1);
    lines.splice(at, 0, `${name} ${random.pick(pieces)}`);
  }),
];

/** A text with some changes, most often few; sometimes none. */
export function mutate(random, text, other) {
  let result = text;
  if (random.chance(0.05)) return result;
  do result = random.pick(mutations)(random, result, other);
  while (random.chance(0.5));
  return result;
}

/** Its bytes, with some of them changed now and then: not all of it is UTF-8 then. */
export function bytesOf(random, text) {
  const bytes = Buffer.from(text);
  while (bytes.length > 0 && random.chance(0.15))
    bytes[random.whole(0, bytes.length - 1)] = random.whole(0, 255);
  return bytes;
}
