import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import type { StatePaths } from "../../host/paths.ts";
import { statePaths } from "../../host/paths.ts";
import { fakePool } from "../pool/fake.ts";
import type { Pool } from "../pool/pool.ts";
import type { Archive, PublishResult } from "./archive.ts";
import { fakeArchive } from "./fake.ts";

let paths: StatePaths;
let archive: Archive;
let pool: Pool;
beforeEach(async () => {
  paths = statePaths(mkdtempSync(join(tmpdir(), "fake-archive-")));
  archive = fakeArchive(paths, "broken=fail,away=tmpfail");
  pool = fakePool(paths);
  await archive.init(["bookworm"]);
});
afterEach(() => rmSync(paths.root, { recursive: true }));

/** Files of a source and a binary package. */
function files(name: string, version: string): string[] {
  const folder = join(paths.root, "made", name, version);
  mkdirSync(folder, { recursive: true });
  const made = [`${name}_${version}.dsc`, `${name}-bin_${version}_amd64.deb`];
  for (const file of made) writeFileSync(join(folder, file), version);
  return made.map((file) => join(folder, file));
}

/** Publishes what a PPA of the ticket's own holds. */
async function publish(
  ticket: number,
  name: string,
  version: string,
): Promise<PublishResult> {
  const from = { ppa: `ci_pool-${ticket}`, series: "bookworm" };
  await pool.reset(from.ppa, from.series);
  await pool.add(from.ppa, from.series, files(name, version));
  return archive.publish(from, [{ name, version, builds: [name] }], ticket);
}
const published = async () =>
  (await archive.current()).publications["bookworm"]?.map(
    ({ kind, name, version }) => `${kind} ${name} ${version}`,
  );

test("publishes a revision a ticket, once, and supersedes older versions", async () => {
  await publish(1, "hello", "1.0");
  const result = await publish(2, "hello", "1.1");
  expect(result).toMatchObject({
    outcome: "passed",
    revision: { revision: 2 },
  });
  expect(await publish(2, "hello", "1.1")).toEqual(result);
  expect(await published()).toEqual([
    "source hello 1.1",
    "binary hello-bin 1.1",
  ]);
  expect((await archive.revisions()).map(({ ticket }) => ticket)).toEqual([
    null,
    1,
    2,
  ]);
});

test("refuses a version that is not higher", async () => {
  await publish(1, "hello", "1.1");
  expect(await publish(2, "hello", "1.0")).toEqual({
    outcome: "failed",
    reason: "the archive holds hello 1.1, which is above 1.0",
  });
  expect((await archive.current()).revision).toBe(1);
});

test("does as its knobs say", async () => {
  expect(await publish(1, "broken", "1")).toMatchObject({
    outcome: "failed",
  });
  expect(await publish(1, "away", "1")).toMatchObject({
    outcome: "tmpfail",
  });
  expect((await archive.current()).revision).toBe(0);
});

test("goes back to an old revision, once", async () => {
  await publish(1, "hello", "1.0");
  await publish(2, "hello", "1.1");
  await archive.revert(1);
  expect(await archive.revert(1)).toMatchObject({ revision: 3, reverts_to: 1 });
  expect(await published()).toContain("source hello 1.0");
  await expect(archive.revert(9)).rejects.toMatchObject({ exitCode: 2 });
});

test("takes a new series beside those it has", async () => {
  await publish(1, "hello", "1.0");
  await archive.init(["bookworm", "trixie"]);
  expect(Object.keys((await archive.current()).publications)).toEqual([
    "bookworm",
    "trixie",
  ]);
  expect(await published()).toContain("source hello 1.0");
});

test("two publications at once make two revisions", async () => {
  const results = await Promise.all([
    publish(1, "hello", "1"),
    publish(2, "other", "1"),
  ]);
  expect(results).toMatchObject([{ outcome: "passed" }, { outcome: "passed" }]);
  expect(await published()).toHaveLength(4);
});

test("copies the sources that are named, and leaves the others in the PPA", async () => {
  const from = { ppa: "ci_pool-001", series: "bookworm" };
  await pool.reset(from.ppa, from.series);
  const all = [...files("hello", "1"), ...files("other", "1")];
  await pool.add(from.ppa, from.series, all);
  await archive.publish(
    from,
    [{ name: "other", version: "1", builds: ["other-bin"] }],
    1,
  );
  expect(await published()).toEqual(["source other 1", "binary other-bin 1"]);
});

test("says later when the PPA does not hold what is to be copied", async () => {
  const from = { ppa: "ci_pool-001", series: "bookworm" };
  const publishing = () =>
    archive.publish(
      from,
      [{ name: "hello", version: "1.1", builds: ["hello-bin"] }],
      1,
    );
  await expect(publishing()).rejects.toMatchObject({ exitCode: 75 });
  await pool.reset(from.ppa, from.series);
  await pool.add(from.ppa, from.series, files("hello", "1.0"));
  await expect(publishing()).rejects.toMatchObject({
    exitCode: 75,
    message: "ci_pool-001 does not hold hello_1.1.dsc",
  });
  expect((await archive.current()).revision).toBe(0);
});

test("tells what a backup keeps of some of its revisions", async () => {
  await publish(1, "hello", "1.0");
  await publish(2, "hello", "1.1");
  expect(await archive.filesToKeep([0, 1])).toEqual({
    paths: [
      "archive/.revisions/0",
      "archive/.revisions/1",
      expect.stringMatching(/^archive\/\.packages\/[0-9a-f]{64}$/) as string,
      "archive/pool/main/h/hello/hello_1.0.dsc",
      "archive/pool/main/h/hello/hello-bin_1.0_amd64.deb",
    ],
    link: { path: "archive/dists", target: ".revisions/1/dists" },
  });
});

test("keeps PPAs until they are cleared", async () => {
  expect(await pool.list()).toEqual([]);
  const { uri } = await pool.reset("ci_pool-001", "bookworm");
  expect(uri).toBe(`file:${paths.ppa}/ci_pool-001`);
  expect(await pool.list()).toEqual(["ci_pool-001"]);
  expect(await pool.has("ci_pool-001")).toBe(true);
  await pool.clear("ci_pool-001");
  expect(await pool.has("ci_pool-001")).toBe(false);
});
