import { gzipSync } from "node:zlib";

/**
 * Makes a minimal .deb that dpkg and aptly accept (deb(5)): a control file and no contents. Equal fields
 * give equal bytes.
 *
 * @param control the fields of the control file, without a final newline
 */
export function smallDeb(control: string): Buffer {
  const folder = tarEntry("./", "5", 0o755, "");
  const file = tarEntry("./control", "0", 0o644, `${control}\n`);
  return Buffer.concat([
    Buffer.from("!<arch>\n"),
    arMember("debian-binary", Buffer.from("2.0\n")),
    arMember("control.tar.gz", gzipSync(tar([folder, file]))),
    arMember("data.tar.gz", gzipSync(tar([folder]))),
  ]);
}

/** An ar member: a 60-byte header and the contents, padded to an even size. */
function arMember(name: string, contents: Buffer): Buffer {
  const header = [
    name.padEnd(16),
    "0".padEnd(12),
    "0".padEnd(6),
    "0".padEnd(6),
    "100644".padEnd(8),
    String(contents.length).padEnd(10),
    "`\n",
  ].join("");
  const padding = contents.length % 2 === 0 ? "" : "\n";
  return Buffer.concat([Buffer.from(header), contents, Buffer.from(padding)]);
}

const blockBytes = 512;

/** A ustar entry (tar(5)): a header, and the contents in whole blocks. */
function tarEntry(
  name: string,
  type: "0" | "5",
  mode: number,
  text: string,
): Buffer {
  const contents = Buffer.from(text);
  const octal = (value: number, width: number) =>
    `${value.toString(8).padStart(width - 1, "0")}\0`;
  const header = Buffer.alloc(blockBytes);
  header.write(name, 0);
  header.write(octal(mode, 8), 100);
  header.write(octal(0, 8), 108);
  header.write(octal(0, 8), 116);
  header.write(octal(contents.length, 12), 124);
  header.write(octal(0, 12), 136);
  // The checksum is computed with blanks in its own place.
  header.write(" ".repeat(8), 148);
  header.write(type, 156);
  header.write("ustar\x0000", 257);
  header.write("root", 265);
  header.write("root", 297);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  const blocks = Math.ceil(contents.length / blockBytes);
  const body = Buffer.alloc(blocks * blockBytes);
  contents.copy(body);
  return Buffer.concat([header, body]);
}

function tar(entries: readonly Buffer[]): Buffer {
  return Buffer.concat([...entries, Buffer.alloc(2 * blockBytes)]);
}
