import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import type { ServedFolders } from "./serve-folders.ts";
import { serveFolders } from "./serve-folders.ts";

let root: string;
let served: ServedFolders;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "serve-"));
  await mkdir(join(root, "tree/pool"), { recursive: true });
  await writeFile(join(root, "tree/pool/a+b_1%3a2.deb"), "deb");
  await writeFile(join(root, "secret"), "no");
  await symlink("../secret", join(root, "tree/door"));
  await symlink("pool", join(root, "tree/dists"));
  served = await serveFolders(new Map([["ppa", join(root, "tree")]]));
});
afterEach(async () => {
  await served.close();
  await rm(root, { recursive: true });
});

const get = async (url: string) => {
  const response = await fetch(url);
  return { status: response.status, text: await response.text() };
};

test("files of the folder can be read, also through links inside it", async () => {
  const url = served.urlOf("ppa");
  for (const path of ["pool/a+b_1%253a2.deb", "dists/a%2bb_1%253a2.deb"])
    expect(await get(`${url}/${path}`)).toEqual({ status: 200, text: "deb" });
  const head = await fetch(`${url}/pool/a+b_1%253a2.deb`, { method: "HEAD" });
  expect(head.headers.get("content-length")).toBe("3");
});

test.each([
  "secret",
  "door",
  "..%2fsecret",
  "%2e%2e/secret",
  "pool",
  "pool/none",
  "%00",
  "%zz",
])("%s is not there", async (path) => {
  expect((await get(`${served.urlOf("ppa")}/${path}`)).status).toBe(404);
});

test("without the secret nothing is there", async () => {
  const { origin } = new URL(served.urlOf("ppa"));
  for (const path of ["/", "/ppa/pool/a+b_1%253a2.deb", "/x/ppa/door"])
    expect((await get(origin + path)).status).toBe(404);
});
