import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import {
  linkOrCopyPublicly,
  linkPublicly,
  makePublicFolder,
  openToEverybody,
  writePublicFile,
} from "./public-files.ts";

let folder: string;
let before: number;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "public-"))));
afterEach(() => rmSync(folder, { recursive: true }));

const mode = (path: string) => statSync(join(folder, path)).mode & 0o7777;

describe.each(["000", "022", "077"])("with umask %s", (umask) => {
  beforeEach(() => (before = process.umask(umask)));
  afterEach(() => process.umask(before));

  test("folders are 0755, all that are made", () => {
    makePublicFolder(join(folder, "a/b/c"));
    expect(["a", "a/b", "a/b/c"].map(mode)).toEqual([0o755, 0o755, 0o755]);
  });

  test("a folder that is there keeps its mode", () => {
    mkdirSync(join(folder, "a"));
    chmodSync(join(folder, "a"), 0o750);
    makePublicFolder(join(folder, "a/b"));
    expect(mode("a")).toBe(0o750);
  });

  test("files are 0644, written or linked", async () => {
    await writePublicFile(join(folder, "new/file"), "text");
    expect(readFileSync(join(folder, "new/file"), "utf8")).toBe("text");
    writeFileSync(join(folder, "private"), "", { mode: 0o600 });
    await linkPublicly(join(folder, "private"), join(folder, "linked"));
    await linkOrCopyPublicly(join(folder, "private"), join(folder, "or"));
    const all = ["new/file", "linked", "or"];
    expect(all.map(mode)).toEqual([0o644, 0o644, 0o644]);
    expect(mode("new")).toBe(0o755);
  });

  test("opens files with every folder above them, up to the tree's root", async () => {
    const root = join(folder, "tree");
    mkdirSync(join(root, "pool/main/h"), { recursive: true });
    for (const path of ["", "pool", "pool/main", "pool/main/h"])
      chmodSync(join(root, path), 0o700);
    writeFileSync(join(root, "pool/main/h/a.deb"), "", { mode: 0o600 });
    await openToEverybody(root, ["pool/main/h/a.deb"]);
    expect(mode("tree")).toBe(0o700);
    expect(
      ["pool", "pool/main", "pool/main/h"].map((path) => mode(`tree/${path}`)),
    ).toEqual([0o755, 0o755, 0o755]);
    expect(mode("tree/pool/main/h/a.deb")).toBe(0o644);
  });
});
