import fc from "fast-check";
import { describe, expect, test } from "vitest";

import {
  isDownload,
  packageFolder,
  possibleNames,
  publishedNames,
} from "./published-name.ts";

const published = (name: string) => publishedNames([name]).get(name) ?? "";

test.each([
  ["hello_2.10-4_amd64.deb"],
  ["hello_2.10.orig.tar.gz"],
  ["hello_2.10.orig-data.tar.xz"],
  ["hello_2.10-4.debian.tar.xz"],
  ["image-manifest.json"],
  ["readme.txt"],
])("%s stays what it is", (name) => {
  expect(published(name)).toBe(name);
});

test.each([
  ["hello_2.10-4.build.log", "hello_2.10-4.build.log.txt"],
  ["hello.autopkgtest.log", "hello.autopkgtest.log.txt"],
  ["hello_2.10-4.build.log.gz", "hello_2.10-4.build.log.txt.gz"],
  ["hello_2.10-4.dsc", "hello_2.10-4.dsc.txt"],
  ["hello_2.10-4_source.changes", "hello_2.10-4_source.changes.txt"],
  ["hello_2.10-4_amd64.buildinfo", "hello_2.10-4_amd64.buildinfo.txt"],
  ["hello_2.10.orig.tar.gz.asc", "hello_2.10.orig_tar_gz.asc.txt"],
  ["hello_2.10-4.diff.gz", "hello_2.10-4_diff_gz.bin"],
])("%s is a text or a file to save: %s", (name, as) => {
  expect(published(name)).toBe(as);
});

/** Extensions that servers treat as a page, a program, or their own configuration. */
const dangerous =
  "html htm shtml xhtml xht xml svg svgz js mjs css pdf php php3 phtml phar cgi pl py asp aspx jsp mht mhtml swf wasm var map rss atom xsl hta url lnk exe en utf7 gz Z".split(
    " ",
  );

describe.each(dangerous)("a name with .%s", (extension) => {
  test.each([
    `evil.${extension}`,
    `evil.${extension.toUpperCase()}`,
    `evil.${extension}.dsc`,
    `evil.${extension}.txt`,
    `evil.${extension}.log`,
    `evil.${extension}.log.gz`,
    `evil_1.${extension}.tar.xz`,
    `evil.${extension}_1_all.deb`,
    `evil.${extension}.`,
    `evil.${extension}~`,
    `.${extension}`,
    `evil.${extension}.unknown`,
    `evil.tar.${extension}`,
  ])("%s has one end, a harmless one", (name) => {
    const as = published(name);
    expect(as.split(".").map((part) => part.toLowerCase())).not.toContain(
      // Only tar.gz and txt.gz are intended.
      /\.(?:tar|txt)\.gz$/.test(as) ? "" : extension.toLowerCase(),
    );
    expect(as).toMatch(/\.(?:deb|txt|bin|(?:txt|tar)\.gz|tar\.xz)$/);
  });
});

test.each([
  ".htaccess",
  ".htpasswd",
  ".user.ini",
  "..",
  "index.html",
  "-rf",
  "~user",
  "a b\n<c>.html",
  "\u202elmth.bin",
  "x".repeat(255),
  `${"x".repeat(250)}.html`,
  "",
  "é".repeat(100),
])("%j is a plain name", (name) => {
  expect(published(name)).toMatch(/^[A-Za-z0-9_][A-Za-z0-9+.~=_-]{0,254}$/);
  expect(published(name)).not.toMatch(/^index\.html?$/);
});

test("no two names are published as one, whatever their order", () => {
  const names = [
    "a.html",
    "a_html",
    "a.html.bin",
    "a_html.bin",
    "a:html",
    "b.log",
    "b.log.txt",
    "c.svg",
  ];
  const map = publishedNames(names);
  expect(new Set(map.values()).size).toBe(names.length);
  // A file whose own name is safe keeps it, and names without a conflict get no digest.
  expect(map.get("a_html.bin")).toBe("a_html.bin");
  expect(map.get("b.log.txt")).toBe("b.log.txt");
  expect(map.get("c.svg")).toBe("c_svg.bin");
  for (const [name, as] of map) expect(possibleNames(name)).toContain(as);
  const reversed = publishedNames(names.toReversed());
  for (const name of names) expect(reversed.get(name)).toBe(map.get(name));
});

test("whatever the names are, each has one of its own that is harmless", () => {
  const parts = fc.constantFrom(
    ...["a", "html", "php", "1", ".", "_", "=", "tar", "gz", "log", "bin", "é"],
  );
  const name = fc
    .array(parts, { minLength: 1, maxLength: 8 })
    .map((chosen) => chosen.join(""));
  fc.assert(
    fc.property(fc.uniqueArray(name, { maxLength: 12 }), (names) => {
      const map = publishedNames(names);
      expect(new Set(map.values()).size).toBe(names.length);
      for (const as of map.values()) {
        expect(as).toMatch(/\.(?:txt|bin|tar\.gz)$/);
        // The part before the first dot is not an extension.
        expect(as.split(".").slice(1)).not.toContain("html");
        expect(as.split(".").slice(1)).not.toContain("php");
      }
    }),
  );
});

test("texts are read, everything else is saved", () => {
  expect(isDownload("a.build.log.txt")).toBe(false);
  expect(isDownload("manifest.json")).toBe(false);
  expect(isDownload("a_html.bin")).toBe(true);
  expect(isDownload("a_1_all.deb")).toBe(true);
});

test("a source package has a folder of its own beside the report's pages", () => {
  expect(packageFolder("hello")).toBe("hello");
  expect(packageFolder("libc++.1")).toBe("libc++.1");
  const odd = [
    "index.html",
    "index.json",
    "..",
    ".htaccess",
    "a/b",
    "<b>",
    "x".repeat(300),
  ];
  const folders = odd.map(packageFolder);
  expect(new Set(folders).size).toBe(odd.length);
  for (const folder of folders) expect(folder).toMatch(/^_[0-9a-f]{32}$/);
});
