import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";

import type { AptRepository } from "../src/lib/backends/apt-repository.ts";
import { folderOf } from "../src/lib/backends/apt-repository.ts";
import { aptSource } from "../src/lib/backends/archive/apt-source.ts";
import { aptlyArchive } from "../src/lib/backends/archive/aptly.ts";
import type {
  Archive,
  PpaRef,
  PublishResult,
  PublishedSource,
} from "../src/lib/backends/archive/archive.ts";
import { readSigningKey } from "../src/lib/backends/archive/signing-key.ts";
import { aptlyPool } from "../src/lib/backends/pool/aptly.ts";
import type { Pool } from "../src/lib/backends/pool/pool.ts";
import type { StatePaths } from "../src/lib/host/paths.ts";
import { statePaths } from "../src/lib/host/paths.ts";
import { putModesRight, wrongModes } from "../src/lib/host/state-modes.ts";
import { builtPackages, type Built } from "./support/built-packages.ts";
import {
  asStranger,
  attemptAsStranger,
  everythingIn,
} from "./support/stranger.ts";

const killed = fileURLToPath(new URL("archive-killed.js", import.meta.url));
const origin = "test";
let folder: string;
let made: string;
let paths: StatePaths;
let archive: Archive;
let pool: Pool;
let count = 0;
const times: Record<string, number[]> = {};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "archive-"));
  made = join(folder, "packages");
  mkdirSync(made);
});
afterAll(() => {
  for (const [what, all] of Object.entries(times)) {
    const sorted = all.map((ms) => Math.round(ms)).sort((a, b) => a - b);
    console.log(`${what}: ${sorted.join(" ")} ms`);
  }
  rmSync(folder, { recursive: true });
});
beforeEach(async () => {
  count += 1;
  // As deep as a folder may be: neither a socket's path nor the name of one of apt's lists fits it.
  paths = statePaths(join(folder, `state${count}`, "long".repeat(50)));
  mkdirSync(paths.root, { recursive: true });
  archive = aptlyArchive(paths, origin);
  pool = aptlyPool(paths, origin);
  await archive.init(["bookworm"]);
});

/** The environment of a program that is killed at that point of a publication. */
const crashAt = (point: string) => ({
  ...process.env,
  UBUNTU_CI_CRASH_AT: `publish.${point}`,
});
const quiet: { stdio: "pipe" } = { stdio: "pipe" };
const packages = (name: string, version: string, text = version) =>
  builtPackages(made, name, version, text);

/** What is published for a ticket: built packages, of which `publish` makes a PPA of the ticket's own. */
function request(ticket: number, ...built: readonly Built[]) {
  return { ticket, series: "bookworm", built };
}
type Request = ReturnType<typeof request>;

/** Fills the ticket's PPA, and says what is to be copied from it. */
async function filled({ ticket, series, built }: Request): Promise<{
  from: PpaRef;
  what: PublishedSource[];
  ticket: number;
}> {
  const from = { ppa: `ci_pool-${ticket}`, series };
  await pool.reset(from.ppa, series);
  const files = built.flatMap((one) => [one.source.dsc, ...one.binaries]);
  await pool.add(from.ppa, series, files);
  const what = built.map(({ source: { name, version } }) => ({
    name,
    version,
    builds: ["", "-data", "-installer"].map((ending) => `${name}${ending}`),
  }));
  return { from, what, ticket };
}

async function timed<T>(what: string, work: Promise<T>): Promise<T> {
  const start = performance.now();
  const result = await work;
  (times[what] ??= []).push(performance.now() - start);
  return result;
}
const again = ({ from, what, ticket }: Awaited<ReturnType<typeof filled>>) =>
  timed("publish", archive.publish(from, what, ticket));
const publish = async (wanted: Request) => again(await filled(wanted));
const revisionIn = (result: PublishResult) =>
  result.outcome === "passed" ? result.revision.revision : result;

/** What apt has as candidates in that repository: `PACKAGE VERSION`, source packages as src:NAME. */
function offered(repository: AptRepository): string[] {
  const root = mkdtempSync(join(folder, "client-"));
  for (const path of ["state/lists/partial", "cache/archives/partial", "etc"])
    mkdirSync(join(root, path), { recursive: true });
  writeFileSync(join(root, "status"), "");
  // By a short way, see above.
  symlinkSync(folderOf(repository), join(root, "it"));
  writeFileSync(
    join(root, "etc/it.sources"),
    aptSource(repository, `file:${root}/it`),
  );
  const options = [
    `Dir::State=${root}/state`,
    `Dir::State::status=${root}/status`,
    `Dir::Cache=${root}/cache`,
    "Dir::Etc::sourcelist=/dev/null",
    `Dir::Etc::sourceparts=${root}/etc`,
    "APT::Sandbox::User=",
  ].flatMap((option) => ["-o", option]);
  const apt = (tool: string, ...args: string[]) =>
    execFileSync(tool, [...options, ...args], { ...quiet, encoding: "utf8" });
  const update = spawnSync("apt-get", [...options, "update"], {
    encoding: "utf8",
    // apt ends its methods in the middle: their temporary files stay.
    env: { ...process.env, TMPDIR: root },
  });
  expect(update.stderr).toBe("");
  expect(update.status).toBe(0);
  const names = apt("apt-cache", "pkgnames").split("\n").filter(Boolean);
  const binaries =
    names.length === 0 ? "" : apt("apt-cache", "madison", ...names);
  return [
    ...new Set(
      binaries.split("\n").flatMap((line) => {
        const [name, version, where] = line.split("|").map((it) => it.trim());
        if (where === undefined) return [];
        return `${where.endsWith("Sources") ? "src:" : ""}${name ?? ""} ${version ?? ""}`;
      }),
    ),
  ].sort();
}
/** What apt says that is wrong when it updates from that repository. */
function attemptUpdate(repository: AptRepository): string {
  try {
    offered(repository);
    return "";
  } catch (thrown) {
    return String(thrown);
  }
}

const inArchive = async (series = "bookworm") =>
  offered(await archive.repository(series));
const tiny = (version: string) =>
  ["src:tiny", "tiny", "tiny-data", "tiny-dbgsym"].map(
    (name) => `${name} ${version}`,
  );

/** The Release file of a series as a client reads it. */
const release = (series = "bookworm") =>
  readFileSync(join(paths.archive, "dists", series, "Release"), "utf8");
const field = (name: string) =>
  new RegExp(`^${name}: (.*)$`, "m").exec(release())?.[1] ?? "";

/** Every file that a client may fetch below dists, by its path, but those that are signed. */
function indexesSeen(): string[][] {
  const dists = realpathSync(join(paths.archive, "dists"));
  return readdirSync(dists, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !/Release/.test(entry.name))
    .map((entry) => {
      const file = join(entry.parentPath, entry.name);
      return [relative(dists, file), readFileSync(file, "hex")];
    })
    .sort();
}

/** The modes of all files and folders in a folder. */
const modesIn = (folder: string) =>
  [
    ...new Set(
      readdirSync(folder, { recursive: true }).map(
        (name) => statSync(join(folder, String(name))).mode & 0o777,
      ),
    ),
  ].sort();

/** Runs a method of the archive in a process of its own, which is killed at that point. */
function killedAt(
  point: string,
  call: string,
  args: readonly unknown[] = [],
): void {
  const run = spawnSync(
    process.execPath,
    [killed, paths.root, "", JSON.stringify({ call, args })],
    {
      encoding: "utf8",
      env: { ...process.env, UBUNTU_CI_CRASH_AT: point },
    },
  );
  expect(run.stderr).toBe("");
  expect(run.signal).toBe("SIGKILL");
}

test("an empty archive and an empty PPA are repositories that apt accepts", async () => {
  expect(await inArchive()).toEqual([]);
  expect((await archive.current()).revision).toBe(0);
  const ppa = await timed("reset", pool.reset("ci_pool-001", "bookworm"));
  expect(offered(ppa)).toEqual([]);
  await archive.init(["bookworm"]);
  expect(await archive.revisions()).toHaveLength(1);
});

test("what is added to a PPA is there for apt, once, until it is reset or cleared", async () => {
  const ppa = await timed("reset", pool.reset("ci_pool-001", "bookworm"));
  const { source, binaries } = packages("tiny", "1.0");
  const files = [source.dsc, ...binaries];
  await timed("add", pool.add(ppa.name, "bookworm", files));
  expect(offered(ppa)).toEqual(tiny("1.0"));
  const before = readFileSync(join(folderOf(ppa), "dists/bookworm/InRelease"));
  await pool.add(ppa.name, "bookworm", files);
  expect(readFileSync(join(folderOf(ppa), "dists/bookworm/InRelease"))).toEqual(
    before,
  );

  const more = ["aa", "bb"].map((name) => packages(name, "1"));
  await Promise.all(
    more.map((one) =>
      timed(
        "add",
        pool.add(ppa.name, "bookworm", [one.source.dsc, ...one.binaries]),
      ),
    ),
  );
  expect(offered(ppa)).toEqual(
    expect.arrayContaining(["src:aa 1", "src:bb 1", "tiny 1.0"]),
  );
  const rebuilt = packages("tiny", "1.0", "built again");
  await pool.add(ppa.name, "bookworm", rebuilt.binaries);
  expect(offered(ppa)).toEqual(expect.arrayContaining(tiny("1.0")));
  expect(
    readFileSync(join(folderOf(ppa), "pool/main/t/tiny/tiny_1.0_amd64.deb")),
  ).toEqual(readFileSync(rebuilt.binaries[0] ?? ""));

  await pool.reset(ppa.name, "bookworm");
  expect(offered(ppa)).toEqual([]);
  await pool.clear(ppa.name);
  expect(existsSync(folderOf(ppa))).toBe(false);
  await expect(pool.reset("../x", "bookworm")).rejects.toThrow("name");
  await expect(pool.reset("archive", "bookworm")).rejects.toThrow("name");
});

test("publishes source and binaries as one revision, and supersedes older ones", async () => {
  const first = await publish(
    request(1, packages("tiny", "1.0"), packages("libodd", "1:2~rc1+b.3")),
  );
  expect(revisionIn(first)).toBe(1);
  // Bit for bit what the PPA holds.
  const pools = [
    join(paths.ppa, "ci_pool-1/pool"),
    join(paths.archive, "pool"),
  ];
  execFileSync("diff", ["-r", ...pools], quiet);
  expect(await inArchive()).toEqual([
    ...["libodd", "libodd-data", "libodd-dbgsym"].map(
      (name) => `${name} 1:2~rc1+b.3`,
    ),
    "src:libodd 1:2~rc1+b.3",
    ...tiny("1.0"),
  ]);
  const again = await publish(
    request(1, packages("tiny", "1.0"), packages("libodd", "1:2~rc1+b.3")),
  );
  expect(revisionIn(again)).toBe(1);

  expect(revisionIn(await publish(request(2, packages("tiny", "1.1"))))).toBe(
    2,
  );
  expect(await inArchive()).toEqual(expect.arrayContaining(tiny("1.1")));
  expect(await inArchive()).not.toContain("tiny 1.0");
  expect(await inArchive()).toContain("libodd 1:2~rc1+b.3");
  const [, one, two] = await archive.revisions();
  expect(one?.changes).toContainEqual(
    expect.objectContaining({ source: "tiny", from: null, to: "1.0" }),
  );
  expect((await archive.read(1)).publications["bookworm"]).toContainEqual(
    expect.objectContaining({
      kind: "binary",
      name: "tiny-installer",
      version: "1.0",
    }),
  );
  expect(two).toMatchObject({ revision: 2, ticket: 2, reverts_to: null });
  // A ticket that was published before another one, and whose run was lost, is not published twice.
  expect(
    revisionIn(await publish(request(1, packages("libodd", "1:2~rc1+b.3")))),
  ).toBe(1);
});

test("its Release file has an end, its signers, SHA-256 alone, xz and lists of contents", async () => {
  await publish(request(1, packages("tiny", "1.0")));
  const key = await readSigningKey(paths.gnupg);
  expect(field("Signed-By")).toBe(key.fingerprint);
  const [dated, ends] = [field("Date"), field("Valid-Until")].map(Date.parse);
  expect((ends ?? 0) - (dated ?? 0)).toBe(10 * 86_400_000);
  expect(dated).toBeLessThanOrEqual(Date.now());
  expect(release()).not.toMatch(/^(?:MD5Sum|SHA1|SHA512):/m);
  const listed = [...release().matchAll(/^ ([0-9a-f]{64}) (\d+) (\S+)$/gm)];
  const names = listed.map(([, , , path]) => path);
  for (const name of [
    "main/binary-amd64/Packages.xz",
    "main/source/Sources.xz",
    "main/Contents-amd64.gz",
  ])
    expect(names).toContain(name);
  const dists = join(paths.archive, "dists/bookworm");
  for (const [, hash = "", size, path = ""] of listed) {
    // As in Debian's archive, of a list of contents only the packed one is a file.
    if (/Contents-[^.]*$/.test(path)) continue;
    const bytes = readFileSync(join(dists, path));
    expect(bytes.length, path).toBe(Number(size));
    expect(createHash("sha256").update(bytes).digest("hex"), path).toBe(hash);
    const byHash = join(dists, dirname(path), "by-hash/SHA256", hash);
    expect(readFileSync(byHash), path).toEqual(bytes);
  }
  const unpacked = (tool: string, path: string) =>
    execFileSync(tool, ["-dc", join(dists, path)], { encoding: "utf8" });
  expect(unpacked("xz", "main/binary-amd64/Packages.xz")).toBe(
    readFileSync(join(dists, "main/binary-amd64/Packages"), "utf8"),
  );
  expect(unpacked("gzip", "main/Contents-amd64.gz")).toMatch(
    /^usr\/share\/tiny-data\/text\s+\S*tiny-data$/m,
  );
});

test("is signed anew in place, without a revision, while clients read it", async () => {
  await publish(request(1, packages("tiny", "1.0")));
  await publish(request(2, packages("tiny", "1.1")));
  const revisions = await archive.revisions();
  const before = indexesSeen();
  const shown = realpathSync(join(paths.archive, "dists"));
  const old = release();
  // A later second, so that the dates differ.
  await vi.waitUntil(() => Date.now() > Date.parse(field("Date")) + 1100, 3000);
  await archive.resign();
  expect(release()).not.toBe(old);
  expect(Date.parse(field("Valid-Until"))).toBeGreaterThan(
    Date.parse(/^Valid-Until: (.*)$/m.exec(old)?.[1] ?? ""),
  );
  expect(indexesSeen()).toEqual(before);
  expect(await archive.revisions()).toEqual(revisions);
  expect(await archive.faultsForClients()).toEqual([]);
  // A client that had opened the folder still reads what belongs together.
  expect(readFileSync(join(shown, "bookworm/Release"), "utf8")).toBe(old);
  expect(await inArchive()).toEqual(tiny("1.1"));
  await archive.resign();
  await archive.resign();
  const folder = join(paths.archive, ".revisions/2");
  expect(
    readdirSync(folder).filter((name) => name.startsWith("dists")),
  ).toHaveLength(2);
  expect(modesIn(realpathSync(join(paths.archive, "dists")))).toEqual([
    0o644, 0o755,
  ]);
  expect(revisionIn(await publish(request(3, packages("tiny", "1.2"))))).toBe(
    3,
  );
  expect(await inArchive()).toEqual(tiny("1.2"));
  await archive.revert(2);
  expect(await inArchive()).toEqual(tiny("1.1"));
});

test.each(["resign.prepared", "resign.renamed", "resign.shown", "link.made"])(
  "killed at %s, what clients see is whole, and it is signed the next time",
  async (point) => {
    await publish(request(1, packages("tiny", "1.0")));
    const before = indexesSeen();
    const old = release();
    killedAt(point, "resign");
    expect(await archive.faultsForClients()).toEqual([]);
    expect(await inArchive()).toEqual(tiny("1.0"));
    expect(indexesSeen()).toEqual(before);
    if (point !== "resign.shown") expect(release()).toBe(old);
    await archive.resign();
    expect(await archive.faultsForClients()).toEqual([]);
    expect(
      readdirSync(join(paths.archive, ".revisions/1")).filter(
        (name) => !/^(?:dists(?:\.\d+)?|pool|revision\.json)$/.test(name),
      ),
    ).toEqual([]);
    expect(revisionIn(await publish(request(2, packages("tiny", "1.1"))))).toBe(
      2,
    );
    expect(await inArchive()).toEqual(tiny("1.1"));
  },
);

test("a new key comes beside the old one: clients with either go on, until the old one is retired", async () => {
  await publish(request(1, packages("tiny", "1.0")));
  const old = await archive.repository("bookworm");
  const [was = ""] = (await archive.signing())?.signedBy ?? [];
  await archive.rotateKey();
  const both = await archive.repository("bookworm");
  expect(field("Signed-By").split(",")).toEqual([
    expect.stringMatching(/^[0-9A-F]{40}$/),
    was,
  ]);
  for (const client of [old, both])
    expect(offered(client)).toEqual(tiny("1.0"));
  await expect(archive.rotateKey()).rejects.toMatchObject({ exitCode: 2 });
  expect(await archive.faultsForClients()).toEqual([]);
  // A publication is signed by both, too.
  await publish(request(2, packages("tiny", "1.1")));
  for (const client of [old, both])
    expect(offered(client)).toEqual(tiny("1.1"));

  const ppa = await pool.reset("ci_pool-009", "bookworm");
  await pool.resign();
  await archive.retireKey();
  expect(field("Signed-By")).not.toContain(was);
  expect((await archive.signing())?.signedBy).not.toContain(was);
  expect(readdirSync(join(paths.gnupg, "private-keys-v1.d"))).toHaveLength(1);
  for (const client of [both, await archive.repository("bookworm")])
    expect(offered(client)).toEqual(tiny("1.1"));
  expect(offered(await pool.repository(ppa.name, "bookworm"))).toEqual([]);
  expect(attemptUpdate(old)).toMatch(/GPG err/);
  expect(await archive.faultsForClients()).toEqual([]);
  expect(modesIn(paths.gnupg)).toEqual([0o600, 0o700]);
});

test.each([
  ["rotateKey", "key.made"],
  ["rotateKey", "key.merged"],
  ["rotateKey", "key.rotated"],
  ["rotateKey", "resign.prepared"],
  ["retireKey", "key.retired"],
  ["retireKey", "resign.prepared"],
  ["retireKey", "key.resigned"],
] as const)(
  "%s killed at %s: clients of both keys go on, and called again it is done",
  async (call, point) => {
    await publish(request(1, packages("tiny", "1.0")));
    if (call === "retireKey") await archive.rotateKey();
    const client = await archive.repository("bookworm");
    killedAt(point, call);
    expect(await archive.faultsForClients()).toEqual([]);
    for (const one of [client, await archive.repository("bookworm")])
      expect(offered(one)).toEqual(tiny("1.0"));
    await archive[call]();
    const { signedBy, unfinished } = (await archive.signing()) ?? {};
    expect(signedBy).toHaveLength(call === "rotateKey" ? 2 : 1);
    expect(unfinished).toBe(false);
    expect(field("Signed-By")).toBe(signedBy?.join(","));
    expect(existsSync(`${paths.gnupg}.new`)).toBe(false);
    expect(await archive.faultsForClients()).toEqual([]);
    expect(offered(await archive.repository("bookworm"))).toEqual(tiny("1.0"));
  },
);

test("what no client would take is seen: a signature, an index, a date", async () => {
  await publish(request(1, packages("tiny", "1.0")));
  const dists = join(realpathSync(join(paths.archive, "dists")), "bookworm");
  const faultWith = async (name: string, change: (text: string) => string) => {
    const file = join(dists, name);
    const before = readFileSync(file);
    rmSync(file);
    writeFileSync(file, change(before.toString("latin1")), "latin1");
    const faults = await archive.faultsForClients();
    writeFileSync(file, before);
    expect(await archive.faultsForClients()).toEqual([]);
    return faults.join("\n");
  };
  expect(
    await faultWith("Release.gpg", (text) =>
      text.replace(/^[A-Za-z0-9+/]{20}/m, (some) =>
        some.split("").reverse().join(""),
      ),
    ),
  ).toMatch(/gpgv finds no valid signature of [0-9A-F]{40} in \S+Release\.gpg/);
  expect(
    await faultWith("InRelease", (text) =>
      text.replace("Label: test", "Label: tset"),
    ),
  ).toContain("is not what");
  expect(
    await faultWith("main/binary-amd64/Packages", (text) =>
      text.replace("1.0", "9.0"),
    ),
  ).toContain("Packages is not the index that");
  expect(
    await faultWith("main/Contents-amd64.gz", (text) => `${text}x`),
  ).toContain("Contents-amd64.gz is not the index that");
});

test("refuses a version that is not above the archive's, and changes nothing", async () => {
  await publish(request(1, packages("tiny", "1.1")));
  for (const version of ["1.0", "1.1", "1.1~rc1"]) {
    const result = await publish(
      request(2, packages("tiny", version, "other")),
    );
    expect(result).toMatchObject({ outcome: "failed" });
  }
  expect((await archive.current()).revision).toBe(1);
});

test("shows what a publication would come to before it is made, and takes no for an answer", async () => {
  await publish(request(1, packages("tiny", "1.0"), packages("aa", "1")));
  const { from, what, ticket } = await filled(
    request(2, packages("tiny", "1.1")),
  );
  const seen: string[][] = [];
  const refused = archive.publish(from, what, ticket, undefined, (outlook) => {
    for (const packages of [outlook.before, outlook.after])
      seen.push(packages.map(({ name, version }) => `${name} ${version}`));
    return Promise.reject(new Error("no"));
  });
  await expect(refused).rejects.toThrow("no");
  expect(seen[0]).toEqual(expect.arrayContaining(["tiny 1.0", "aa 1"]));
  expect(seen[1]).toEqual(expect.arrayContaining(["tiny 1.1", "aa 1"]));
  expect(seen[1]).not.toContain("tiny 1.0");
  expect((await archive.current()).revision).toBe(1);
  expect(revisionIn(await archive.publish(from, what, ticket))).toBe(2);
});

test("does not publish what the source does not say that it builds", async () => {
  const { from, what, ticket } = await filled(
    request(1, packages("tiny", "1.0")),
  );
  const less = what.map((one) => ({ ...one, builds: ["tiny"] }));
  expect(await archive.publish(from, less, ticket)).toMatchObject({
    outcome: "failed",
    reason: expect.stringContaining(
      "the Binary field of tiny does not name",
    ) as string,
  });
});

test("says tmpfail when a file is broken, and goes on with the next", async () => {
  const wanted = request(1, packages("tiny", "1.0"));
  const { from, what, ticket } = await filled(wanted);
  const file = join(paths.ppa, from.ppa, "pool/main/t/tiny/tiny_1.0_amd64.deb");
  rmSync(file);
  writeFileSync(file, "no package");
  const result = await archive.publish(from, what, ticket);
  expect(result).toMatchObject({ outcome: "tmpfail" });
  expect(await inArchive()).toEqual([]);
  expect(revisionIn(await publish(wanted))).toBe(1);
});

test("keeps what clients in the middle of an update were promised, and old revisions as they were", async () => {
  await publish(request(1, packages("tiny", "1.0")));
  const dists = join(paths.archive, ".revisions/1/dists/bookworm");
  const release = readFileSync(join(dists, "Release"), "utf8");
  const packagesHash =
    /^ ([0-9a-f]{64}) +\d+ main\/binary-amd64\/Packages$/m.exec(release)?.[1];
  const all = () =>
    readdirSync(dists, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => [
        join(entry.parentPath, entry.name),
        readFileSync(join(entry.parentPath, entry.name), "hex"),
      ]);
  const before = all();
  await publish(request(2, packages("tiny", "1.1")));
  const byHash = `dists/bookworm/main/binary-amd64/by-hash/SHA256/${packagesHash ?? ""}`;
  expect(readFileSync(join(paths.archive, byHash), "utf8")).toContain(
    "Version: 1.0",
  );
  await publish(request(3, packages("tiny", "1.2")));
  expect(all()).toEqual(before);
  await publish(request(4, packages("tiny", "1.3")));
  const promised = join(paths.archive, byHash);
  expect(existsSync(promised)).toBe(true);
  // Three publications later it is kept for three days.
  await publish(request(5, packages("tiny", "1.4")));
  expect(existsSync(promised)).toBe(true);
  for (const revision of readdirSync(join(paths.archive, ".revisions"))) {
    const age = Date.now() / 1000 - 4 * 86_400;
    const file = join(paths.archive, ".revisions", revision, "revision.json");
    utimesSync(file, age, age);
  }
  await publish(request(6, packages("tiny", "1.5")));
  expect(existsSync(promised)).toBe(false);
  expect(await inArchive()).toEqual(tiny("1.5"));
});

test("goes back to an old revision, and on from there", async () => {
  await publish(request(1, packages("tiny", "1.0")));
  await publish(request(2, packages("tiny", "1.1"), packages("aa", "1")));
  const back = await timed("revert", archive.revert(1));
  expect(back).toMatchObject({ revision: 3, ticket: null, reverts_to: 1 });
  expect(await inArchive()).toEqual(tiny("1.0"));
  expect(await archive.revert(1)).toEqual(back);
  const result = await publish(
    request(3, packages("tiny", "1.1", "other bits")),
  );
  expect(result).toMatchObject({
    outcome: "failed",
    reason: expect.stringMatching(/revision 2 .* another tiny_1.1/) as string,
  });
  expect(revisionIn(await publish(request(4, packages("tiny", "1.2"))))).toBe(
    4,
  );
  expect(await inArchive()).toEqual(tiny("1.2"));
  await archive.revert(0);
  expect(await inArchive()).toEqual([]);
  await expect(archive.revert(77)).rejects.toMatchObject({ exitCode: 2 });
});

test("takes one landing of two packages out, and keeps what landed on top", async () => {
  await publish(request(1, packages("tiny", "1.0")));
  await publish(request(2, packages("tiny", "1.1"), packages("other", "1.0")));
  await publish(request(3, packages("later", "1.0")));
  const seen: number[] = [];
  const made = await archive.undo(2, ({ before, after }) => {
    seen.push(before.length, after.length);
    return Promise.resolve();
  });
  expect(made).toMatchObject({ revision: 4, ticket: null, undoes: 2 });
  expect(seen[1]).toBeLessThan(seen[0] ?? 0);
  const now = await inArchive();
  expect(now).toEqual(expect.arrayContaining(tiny("1.0")));
  expect(now.join("\n")).toContain("later");
  expect(now.join("\n")).not.toMatch(/other|1\.1/);
  expect(await archive.undo(2)).toMatchObject({ revision: 4, undoes: 2 });
  await expect(
    archive.undo(3, () => Promise.reject(new Error("no"))),
  ).rejects.toThrow("no");
  expect((await archive.current()).revision).toBe(4);
});

test("a stable suite shows what was promoted, until something else is", async () => {
  const stable = async () =>
    offered(await archive.repository("bookworm-stable"));
  await publish(request(1, packages("tiny", "1.0")));
  await publish(request(2, packages("tiny", "1.1")));
  await archive.promote("bookworm", 1, []);
  expect(await stable()).toEqual(tiny("1.0"));
  expect(await inArchive()).toEqual(tiny("1.1"));
  await publish(request(3, packages("tiny", "1.2")));
  await archive.resign();
  await archive.revert(1);
  expect(await stable()).toEqual(tiny("1.0"));
  const named = readFileSync(
    join(paths.archive, "dists/bookworm-stable/Release"),
    "utf8",
  );
  expect(named).toMatch(
    /^Suite: bookworm-stable\nVersion: 1\nCodename: bookworm-stable$/m,
  );
  await archive.promote("bookworm", 3, [1]);
  expect(await stable()).toEqual(tiny("1.2"));
  // What the suite named before is still there by its digest.
  const hashes = [...named.matchAll(/^ ([0-9a-f]{64}) \d+ (\S+)$/gm)];
  const kept = hashes.filter(([, hash = "", path = ""]) =>
    existsSync(
      join(
        paths.archive,
        "dists/bookworm-stable",
        dirname(path),
        "by-hash/SHA256",
        hash,
      ),
    ),
  );
  expect(kept.length).toBeGreaterThan(3);
  await archive.removeRevisions([2]);
  expect(await stable()).toEqual(tiny("1.2"));
  expect(await archive.faultsForClients()).toEqual([]);
  expect(await archive.inspect(true)).toEqual([]);
  expect((await archive.signing())?.endsFirst?.validUntil).not.toBeNull();
});

test.each(["resign.prepared", "resign.renamed", "resign.shown"])(
  "killed at %s of a promotion, clients see the old or the new, and called again it is done",
  async (point) => {
    await publish(request(1, packages("tiny", "1.0")));
    await publish(request(2, packages("tiny", "1.1")));
    await archive.promote("bookworm", 1, []);
    killedAt(point, "promote", ["bookworm", 2, [1]]);
    const stable = await archive.repository("bookworm-stable");
    expect(offered(stable)).toEqual(
      tiny(point === "resign.shown" ? "1.1" : "1.0"),
    );
    expect(await archive.faultsForClients()).toEqual([]);
    await archive.promote("bookworm", 2, [1]);
    expect(offered(stable)).toEqual(tiny("1.1"));
    expect(await archive.faultsForClients()).toEqual([]);
  },
);

test("keeps several series in one archive", async () => {
  await archive.init(["bookworm", "trixie"]);
  expect((await archive.current()).revision).toBe(1);
  await publish({ ...request(1, packages("tiny", "1.0")), series: "trixie" });
  await publish(request(2, packages("tiny", "0.9")));
  expect(await inArchive()).toEqual(tiny("0.9"));
  expect(await inArchive("trixie")).toEqual(tiny("1.0"));
});

test.each(["begun", "copied", "prepared", "renamed", "shown"])(
  "killed at %s and called again, the ticket is published once",
  async (point) => {
    await publish(request(1, packages("tiny", "1.0")));
    const wanted = await filled(request(2, packages("tiny", "1.1")));
    const run = spawnSync(
      process.execPath,
      [killed, paths.root, "", JSON.stringify(wanted)],
      { encoding: "utf8", env: crashAt(point) },
    );
    expect(run.stderr).toBe("");
    expect(run.signal).toBe("SIGKILL");
    expect(await inArchive()).toEqual(tiny(point === "shown" ? "1.1" : "1.0"));
    expect(revisionIn(await again(wanted))).toBe(2);
    expect(await inArchive()).toEqual(tiny("1.1"));
    expect((await archive.revisions()).map(({ ticket }) => ticket)).toEqual([
      null,
      1,
      2,
    ]);
    expect(readdirSync(join(paths.archive, ".revisions")).sort()).toEqual([
      "0",
      "1",
      "2",
    ]);
  },
);

test("killed at any moment of a publication and called again, the ticket is published once", async () => {
  await publish(request(1, packages("tiny", "1.0")));
  for (const delay of [150, 220, 290, 360, 430, 500, 600, 700]) {
    const { revision } = await archive.current();
    const wanted = await filled(
      request(revision + 1, packages("tiny", `2.${revision}`)),
    );
    spawnSync(
      process.execPath,
      [killed, paths.root, String(delay), JSON.stringify(wanted)],
      { encoding: "utf8" },
    );
    expect(revisionIn(await again(wanted))).toBe(revision + 1);
  }
  expect(await inArchive()).toEqual(tiny("2.8"));
});

test("killed at any moment of filling a PPA and called again, the PPA is whole", async () => {
  const { source, binaries } = packages("tiny", "1.0");
  const ppa = "ci_pool-001";
  const files = [source.dsc, ...binaries];
  const wanted = JSON.stringify({ ppa, files });
  for (const delay of [150, 250, 350, 450, 550, 650]) {
    spawnSync(process.execPath, [killed, paths.root, String(delay), wanted]);
    const repository = await pool.reset(ppa, "bookworm");
    expect(offered(repository)).toEqual([]);
    await pool.add(ppa, "bookworm", files);
    expect(offered(repository)).toEqual(tiny("1.0"));
  }
});

test("a ticket whose killed publication left other files is published with its own", async () => {
  const first = request(1, packages("tiny", "1.0", "first build"));
  spawnSync(
    process.execPath,
    [killed, paths.root, "", JSON.stringify(await filled(first))],
    { env: crashAt("copied") },
  );
  const second = request(1, packages("tiny", "1.0", "second build"));
  expect(revisionIn(await publish(second))).toBe(1);
  expect(
    readFileSync(join(paths.archive, "pool/main/t/tiny/tiny_1.0_amd64.deb")),
  ).toEqual(readFileSync(second.built[0]?.binaries[0] ?? ""));
});

test.each(["damaged", "gone"])(
  "an aptly database that is %s is made anew",
  async (how) => {
    await publish(request(1, packages("tiny", "1.0"), packages("aa", "1")));
    const aptly = join(paths.aptly, "archive");
    if (how === "gone") rmSync(aptly, { recursive: true });
    else
      for (const name of readdirSync(join(aptly, "db")))
        writeFileSync(join(aptly, "db", name), "noise");
    expect(revisionIn(await publish(request(2, packages("tiny", "1.1"))))).toBe(
      2,
    );
    expect(await inArchive()).toEqual(
      expect.arrayContaining([...tiny("1.1"), "src:aa 1"]),
    );
  },
);

test("two tickets at once make two revisions", async () => {
  const results = await Promise.all([
    publish(request(1, packages("aa", "1"))),
    publish(request(2, packages("bb", "1"))),
  ]);
  expect(results.map(revisionIn).sort()).toEqual([1, 2]);
  expect(await inArchive()).toEqual(
    expect.arrayContaining(["src:aa 1", "src:bb 1"]),
  );
});

test("a client does not get a package whose file was changed", async () => {
  const wanted = request(1, packages("tiny", "1.0"));
  await publish(wanted);
  const file = join(paths.archive, "pool/main/t/tiny/tiny_1.0_amd64.deb");
  const aside = join(folder, "aside.deb");
  linkSync(file, aside);
  rmSync(file);
  writeFileSync(file, "something else");
  expect(await publish(wanted)).toMatchObject({ outcome: "tmpfail" });
});

test.each([0o000, 0o077])(
  "another user's apt gets what is published, made with umask %i, and sees nothing of aptly's own",
  async (umask) => {
    // Every package is made, as in the data store, for its owner alone.
    const built = packages("tiny", "1.0");
    const open = join(folder, `open-${umask}`);
    const store = join(open, "store");
    mkdirSync(store, { recursive: true });
    execFileSync("cp", ["-a", join(built.source.dsc, "..") + "/.", store]);
    execFileSync("chmod", ["-R", "go=", store]);
    execFileSync("chmod", ["711", folder, open]);
    const inStore = (path: string) => join(store, basename(path));
    const before = process.umask(umask);
    try {
      paths = statePaths(join(open, "state"));
      mkdirSync(paths.root);
      archive = aptlyArchive(paths, origin);
      pool = aptlyPool(paths, origin);
      await archive.init(["bookworm"]);
      const published = await publish(
        request(1, {
          source: { ...built.source, dsc: inStore(built.source.dsc) },
          binaries: built.binaries.map(inStore),
        }),
      );
      expect(revisionIn(published)).toBe(1);
      await pool.reset("ci_pool-001", "bookworm");
      await pool.add("ci_pool-001", "bookworm", built.binaries.map(inStore));
    } finally {
      process.umask(before);
    }
    // Only a state's modes are put right.
    writeFileSync(paths.database, "");
    putModesRight(paths.root);
    const repositories = [
      await archive.repository("bookworm"),
      await pool.repository("ci_pool-001", "bookworm"),
    ];
    for (const repository of repositories)
      expect(fetchedByStranger(repository, "tiny-data")).toContain(
        "tiny-data_1.0_all.deb",
      );
    const all = everythingIn(paths.root);
    const { read, listed, changed } = attemptAsStranger(all);
    expect(changed).toEqual([]);
    const publicTrees = [paths.archive, paths.ppa];
    const isPublic = (path: string) =>
      publicTrees.some((tree) => path === tree || path.startsWith(`${tree}/`));
    expect([...read, ...listed].sort()).toEqual(all.filter(isPublic).sort());
    expect([...wrongModes(paths.root)]).toEqual([]);
  },
);

/** What apt downloads when another user asks it for a package of that repository. */
function fetchedByStranger(repository: AptRepository, name: string): string {
  const script = `
    set -e
    cd "$(mktemp -d /tmp/stranger.XXXXXX)"
    trap 'rm -rf "$PWD"' EXIT
    mkdir -p etc state/lists/partial cache/archives/partial
    touch status
    printf '%s' "$1" >etc/it.sources
    apt() { apt-get -qq -o Dir::State="$PWD/state" -o Dir::State::status="$PWD/status" \\
      -o Dir::Cache="$PWD/cache" -o Dir::Etc::sourcelist=/dev/null \\
      -o Dir::Etc::sourceparts="$PWD/etc" "$@"; }
    apt update
    apt download "$2"
    ls`;
  const [command = "", ...args] = asStranger;
  return execFileSync(
    command,
    [...args, "sh", "-c", script, "sh", aptSource(repository), name],
    { cwd: "/", encoding: "utf8", env: { PATH: process.env["PATH"] } },
  );
}
