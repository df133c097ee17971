/** An entry of a tar archive without contents (POSIX ustar). */
interface TarEntry {
  readonly name: string;
  /** 2 a symbolic link, 3 a character device, 5 a folder. */
  readonly type: "2" | "3" | "5";
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds. */
  readonly mtime: number;
  readonly linkname?: string;
  /** Major and minor number. */
  readonly device?: readonly [number, number];
}

/** The block of 512 bytes for an entry. */
export function tarHeader(entry: TarEntry): Buffer {
  const [major, minor] = entry.device ?? [0, 0];
  const octal = (value: number, length: number) =>
    `${value.toString(8).padStart(length - 1, "0")}\0`;
  const block = Buffer.alloc(512);
  const put = (at: number, text: string) => block.write(text, at, "latin1");
  put(0, entry.name);
  put(100, octal(entry.mode, 8));
  put(108, octal(entry.uid, 8));
  put(116, octal(entry.gid, 8));
  put(124, octal(0, 12));
  put(136, octal(entry.mtime, 12));
  put(148, " ".repeat(8));
  put(156, entry.type);
  put(157, entry.linkname ?? "");
  put(257, "ustar\x0000");
  put(329, octal(major, 8));
  put(337, octal(minor, 8));
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(148, `${sum.toString(8).padStart(6, "0")}\0 `);
  return block;
}
