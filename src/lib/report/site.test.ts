import { createHash } from "node:crypto";
import {
  appendFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  expect,
  test,
} from "vitest";

import { besidePath } from "../files/atomic-file.ts";
import { GpgHome } from "../../../test/support/gpg-home.ts";
import { formatSums, parseSums } from "./sums.ts";
import { DamagedList, Site } from "./site.ts";
import { verifyReport } from "./verify.ts";

let home: string;
let gpg: GpgHome;
let folder: string;
let root: string;
let keyFile: string;
let key: string;

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "signer-"));
  gpg = new GpgHome(join(home, "gpg"));
  key = gpg.makeKey("The archive <archive@example.com>");
});
afterAll(() => {
  gpg.stop();
  rmSync(home, { recursive: true, force: true });
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "site-"));
  root = join(folder, "report");
  keyFile = join(folder, "archive.asc");
  writeFileSync(keyFile, gpg.armouredKey(key));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const sign = (text: string) => {
  const file = join(folder, "text");
  writeFileSync(file, text);
  return Promise.resolve(
    gpg.run(["--armor", "--detach-sign", "--output", "-", file]).toString(),
  );
};

/** A report of that many tickets, each with a page and a log. */
async function report(tickets: readonly number[], all = true): Promise<Site> {
  const site = new Site(root, all);
  site.write("index.html", `tickets: ${tickets.join(" ")}`);
  for (const id of tickets) {
    const log = join(folder, `log-${id}`);
    writeFileSync(log, `log of ${id}`);
    site.whole(`tickets/${id}`);
    site.write(`tickets/${id}/index.html`, `ticket ${id}`);
    await site.place(
      `tickets/${id}/files/build.log`,
      log,
      sumOf(`log of ${id}`),
    );
    site.close(`tickets/${id}`);
  }
  await site.finish(sign);
  return site;
}

const sumOf = (text: string) => createHash("sha256").update(text).digest("hex");

const verified = async () =>
  verifyReport(root, keyFile, new AbortController().signal);
const faults = async () =>
  (await verified()).faults.map(({ path, what }) => `${path} ${what}`);

const allFiles = () =>
  readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((path) => statSync(join(root, path)).isFile())
    .sort();

test("what was written is whole, and one changed byte in any file is found", async () => {
  await report([1, 2]);
  const { signed, files, faults: none } = await verified();
  expect(none).toEqual([]);
  expect(signed?.by).toEqual([key]);
  expect(files).toBe(8);
  const there = allFiles();
  expect(there).toHaveLength(10);
  for (const path of there) {
    const file = join(root, path);
    const good = readFileSync(file);
    const bad = Buffer.from(good);
    // The middle of an armoured signature is not its comment or its end.
    const at = bad.length >> 1;
    bad[at] = bad[at] === 65 ? 66 : 65;
    renameSync(file, join(folder, "good"));
    writeFileSync(file, bad);
    expect((await verified()).faults, path).not.toEqual([]);
    renameSync(join(folder, "good"), file);
  }
  expect(await faults()).toEqual([]);
});

test("the key is taken armoured, in binary, and from an apt source", async () => {
  await report([1]);
  const armoured = gpg.armouredKey(key);
  const lines = armoured
    .trimEnd()
    .split("\n")
    .map((line) => ` ${line === "" ? "." : line}\n`);
  for (const given of [
    armoured,
    gpg.publicKey(key),
    `Types: deb\nURIs: file:/srv\nSigned-By:\n${lines.join("")}`,
  ]) {
    writeFileSync(keyFile, given);
    expect((await verified()).signed?.by).toEqual([key]);
  }
  writeFileSync(keyFile, "no key");
  expect((await verified()).signed).toBeNull();
});

test("a file more, a file less, a link and another's signature are found", async () => {
  await report([1]);
  writeFileSync(join(root, "tickets/1/more"), "");
  mkdirSync(join(root, "tickets/9"));
  writeFileSync(join(root, "tickets/9/index.html"), "");
  rmSync(join(root, "tickets/1/index.html"));
  rmSync(join(root, "index.html"));
  symlinkSync("/etc/passwd", join(root, "index.html"));
  expect(await faults()).toEqual([
    "index.html is not a plain file",
    "tickets/1/index.html is missing",
    "tickets/1/more is in no list",
    "tickets/9/index.html is in no list",
  ]);
  writeFileSync(
    keyFile,
    gpg.publicKey(gpg.makeKey("Somebody else <else@example.com>")),
  );
  expect((await verified()).signed).toBeNull();
});

test("a list that names what is outside is no list", async () => {
  await report([1]);
  const list = join(root, "SHA256SUMS");
  const line = `${"0".repeat(64)}  ../../etc/passwd\n`;
  appendFileSync(list, line);
  writeFileSync(
    join(root, "SHA256SUMS.asc"),
    await sign(readFileSync(list, "utf8")),
  );
  expect(await faults()).toContain("SHA256SUMS is not a list of checksums");
});

test("a report of what changed keeps the lists of the rest", async () => {
  await report([1, 2, 3]);
  const before = statSync(join(root, "tickets/1/SHA256SUMS")).mtimeMs;
  const site = new Site(root, false);
  site.whole("tickets/2");
  site.write("tickets/2/index.html", "changed");
  site.close("tickets/2");
  await site.finish(sign);
  expect(await faults()).toEqual([]);
  expect(allFiles()).toContain("tickets/3/files/build.log");
  expect(allFiles()).not.toContain("tickets/2/files/build.log");
  expect(statSync(join(root, "tickets/1/SHA256SUMS")).mtimeMs).toBe(before);
});

test("a whole report removes what is gone, and files of others nowhere but in its folders", async () => {
  await report([1, 2]);
  writeFileSync(join(root, "robots.txt"), "");
  writeFileSync(join(root, "tickets/old.html"), "");
  await report([1]);
  expect(readdirSync(join(root, "tickets"))).toEqual(["1", "SHA256SUMS"]);
  expect(await faults()).toEqual(["robots.txt is in no list"]);
});

test("a report that was killed before its lists is put right by the next", async () => {
  await report([1, 2]);
  const killed = new Site(root, false);
  killed.whole("tickets/2");
  killed.write("tickets/2/index.html", "changed");
  expect(await faults()).toEqual(["tickets/2/index.html was changed"]);
  for (const folder of ["", "tickets", "tickets/2"])
    writeFileSync(besidePath(join(root, folder, "index.html")), "half");
  const next = new Site(root, false);
  next.whole("tickets/2");
  next.write("tickets/2/index.html", "changed");
  await next.finish(sign);
  expect(next.unchanged).toBe(1);
  expect(await faults()).toEqual([]);
});

test("what is kept is listed as it was, or as it is where it was never listed", async () => {
  await report([1]);
  mkdirSync(join(root, "tickets/1/logs"));
  writeFileSync(join(root, "tickets/1/logs/index.html"), "made once");
  for (const text of ["one", "two"]) {
    const site = new Site(root, false);
    site.whole("tickets/1");
    site.write("tickets/1/index.html", text);
    await site.keep("tickets/1/logs");
    await site.finish(sign);
    expect(await faults()).toEqual([]);
  }
  writeFileSync(join(root, "tickets/1/logs/index.html"), "changed");
  const site = new Site(root, false);
  site.whole("tickets/1");
  site.write("tickets/1/index.html", "two");
  await site.keep("tickets/1/logs");
  await site.finish(sign);
  // It is not made again, and so stays told of.
  expect(await faults()).toEqual(["tickets/1/logs/index.html was changed"]);
});

test("nothing is written or signed where nothing changed", async () => {
  await report([1]);
  const { written } = await report([1], false);
  expect(written).toBe(0);
  const before = statSync(join(root, "SHA256SUMS.asc")).ino;
  await report([1], false);
  expect(statSync(join(root, "SHA256SUMS.asc")).ino).toBe(before);
});

test("a damaged list is no reason to forget what it had", async () => {
  await report([1, 2]);
  appendFileSync(join(root, "tickets/SHA256SUMS"), "rot\n");
  const site = new Site(root, false);
  site.whole("tickets/2");
  site.write("tickets/2/index.html", "changed");
  await expect(site.finish(sign)).rejects.toThrow(DamagedList);
  await report([1, 2]);
  expect(await faults()).toEqual([]);
});

test("a file that has its place under two names already stays", async () => {
  const log = join(folder, "log");
  writeFileSync(log, "log");
  mkdirSync(join(root, "tickets/1/files"), { recursive: true });
  linkSync(log, join(root, "tickets/1/files/log"));
  const site = new Site(root, true);
  await site.place("tickets/1/files/log", log, sumOf("log"));
  await site.finish(sign);
  expect(readdirSync(join(root, "tickets/1/files"))).toEqual(["log"]);
  expect(await faults()).toEqual([]);
});

test("a list is read as sha256sum writes it", () => {
  const sums = new Map([
    ["b/c", "1".repeat(64)],
    ["a", "2".repeat(64)],
  ]);
  const text = formatSums(sums);
  expect(text).toBe(`${"2".repeat(64)}  a\n${"1".repeat(64)}  b/c\n`);
  expect(parseSums(text)).toEqual(new Map([...sums].reverse()));
  expect(parseSums("")).toEqual(new Map());
  for (const bad of ["/etc/passwd", "a/../b", ".", "a//b", "a\\nb", ""])
    expect(parseSums(`${"0".repeat(64)}  ${bad}\n`), bad).toBeUndefined();
  expect(parseSums(`${text}${text}`)).toBeUndefined();
  expect(parseSums(text.trimEnd())).toBeUndefined();
});
