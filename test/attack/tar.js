/**
 * One entry of a tar archive, as hostile as one likes.
 *
 * @typedef {object} Entry
 * @property {string} name
 * @property {string} [type] "0" file, "1" hard link, "2" link, "3" device, "5" folder, "6" FIFO
 * @property {string} [link]
 * @property {number} [mode]
 * @property {string} [content]
 */

const block = 512;

/** A tar archive (ustar) of these entries, byte by byte: no tool would write it. */
export function tarOf(entries) {
  return Buffer.concat([
    ...entries.flatMap((entry) => [header(entry), contents(entry)]),
    Buffer.alloc(2 * block),
  ]);
}

function header({ name, type = "0", link = "", mode = 0o644, content = "" }) {
  const head = Buffer.alloc(block);
  const put = (at, text) => head.write(text, at, "latin1");
  const number = (at, digits, value) =>
    put(at, value.toString(8).padStart(digits, "0"));
  put(0, name);
  number(100, 7, mode);
  number(108, 7, 0);
  number(116, 7, 0);
  number(124, 11, Buffer.byteLength(content));
  number(136, 11, 0);
  put(148, "        ");
  put(156, type);
  put(157, link);
  put(257, "ustar\0" + "00");
  number(329, 7, 1);
  number(337, 7, 3);
  const sum = head.reduce((total, byte) => total + byte, 0);
  put(148, `${sum.toString(8).padStart(6, "0")}\0 `);
  return head;
}

function contents({ content = "" }) {
  const bytes = Buffer.from(content);
  const padded = Buffer.alloc(Math.ceil(bytes.length / block) * block);
  bytes.copy(padded);
  return padded;
}
