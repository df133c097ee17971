import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const digest = (text, kind = "sha256") =>
  createHash(kind).update(text).digest("hex");

/**
 * Writes an unsigned source upload that admission accepts, without any tool: what is in the tarball
 * is nobody's business here. Returns its .changes and the digest of each file, by name.
 */
export function writeUpload(folder, source, version) {
  mkdirSync(folder, { recursive: true });
  const stem = `${source}_${version}`;
  const files = {};
  const put = (name, text) => {
    writeFileSync(join(folder, name), text);
    files[name] = digest(text);
    return {
      name,
      size: Buffer.byteLength(text),
      md5: digest(text, "md5"),
      sha256: files[name],
    };
  };
  const lines = (list, show) => list.map((file) => `\n ${show(file)}`).join("");
  const sums = (list) =>
    `Checksums-Sha256:${lines(list, ({ sha256, size, name }) => `${sha256} ${size} ${name}`)}\n`;
  const tarball = put(`${stem}.tar.xz`, `contents of ${stem}\n`.repeat(50));
  const dsc = put(
    `${stem}.dsc`,
    `Format: 3.0 (native)
Source: ${source}
Binary: ${source}
Architecture: any
Version: ${version}
Maintainer: Dev <dev@example.com>
Standards-Version: 4.6.2
${sums([tarball])}Files:${lines([tarball], ({ md5, size, name }) => `${md5} ${size} ${name}`)}
`,
  );
  const all = [dsc, tarball];
  const changes = put(
    `${stem}_source.changes`,
    `Format: 1.8
Date: Thu, 01 Jan 2026 00:00:00 +0000
Source: ${source}
Architecture: source
Version: ${version}
Distribution: bookworm
Urgency: medium
Maintainer: Dev <dev@example.com>
Changed-By: Dev <dev@example.com>
Changes:
 ${source} (${version}) bookworm; urgency=medium
 .
   * Test.
${sums(all)}Files:${lines(all, ({ md5, size, name }) => `${md5} ${size} misc optional ${name}`)}
`,
  );
  return { changes: join(folder, changes.name), files };
}
