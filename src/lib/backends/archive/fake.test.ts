import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import type { StatePaths } from "../../host/paths.ts";
import { statePaths } from "../../host/paths.ts";
import type { ArchiveKeeper, PublishRequest } from "./archive.ts";
import { fakeKeeper } from "./fake.ts";

let paths: StatePaths;
let keeper: ArchiveKeeper;
beforeEach(async () => {
  paths = statePaths(mkdtempSync(join(tmpdir(), "fake-archive-")));
  keeper = fakeKeeper(paths, "broken=fail,away=tmpfail");
  await keeper.init(["bookworm"]);
});
afterEach(() => rmSync(paths.root, { recursive: true }));

function request(
  ticket: number,
  name: string,
  version: string,
): PublishRequest {
  const folder = join(paths.root, "made", name, version);
  mkdirSync(folder, { recursive: true });
  const dsc = join(folder, `${name}_${version}.dsc`);
  const deb = join(folder, `${name}-bin_${version}_amd64.deb`);
  writeFileSync(dsc, version);
  writeFileSync(deb, version);
  const sources = [{ name, version, dsc }];
  return { ticket, series: "bookworm", sources, binaries: [deb] };
}
const published = async () =>
  (await keeper.current()).publications["bookworm"]?.map(
    ({ kind, name, version }) => `${kind} ${name} ${version}`,
  );

test("publishes a revision a ticket, once, and supersedes older versions", async () => {
  await keeper.publish(request(1, "hello", "1.0"));
  const result = await keeper.publish(request(2, "hello", "1.1"));
  expect(result).toMatchObject({
    outcome: "passed",
    revision: { revision: 2 },
  });
  expect(await keeper.publish(request(2, "hello", "1.1"))).toEqual(result);
  expect(await published()).toEqual([
    "source hello 1.1",
    "binary hello-bin 1.1",
  ]);
  expect((await keeper.revisions()).map(({ ticket }) => ticket)).toEqual([
    null,
    1,
    2,
  ]);
});

test("refuses a version that is not higher", async () => {
  await keeper.publish(request(1, "hello", "1.1"));
  expect(await keeper.publish(request(2, "hello", "1.0"))).toEqual({
    outcome: "failed",
    reason: "the archive holds hello 1.1, which is above 1.0",
  });
  expect((await keeper.current()).revision).toBe(1);
});

test("does as its knobs say", async () => {
  expect(await keeper.publish(request(1, "broken", "1"))).toMatchObject({
    outcome: "failed",
  });
  expect(await keeper.publish(request(1, "away", "1"))).toMatchObject({
    outcome: "tmpfail",
  });
  expect((await keeper.current()).revision).toBe(0);
});

test("goes back to an old revision, once", async () => {
  await keeper.publish(request(1, "hello", "1.0"));
  await keeper.publish(request(2, "hello", "1.1"));
  await keeper.revert(1);
  expect(await keeper.revert(1)).toMatchObject({ revision: 3, reverts_to: 1 });
  expect(await published()).toContain("source hello 1.0");
  await expect(keeper.revert(9)).rejects.toMatchObject({ exitCode: 2 });
});

test("takes a new series beside those it has", async () => {
  await keeper.publish(request(1, "hello", "1.0"));
  await keeper.init(["bookworm", "trixie"]);
  expect(Object.keys((await keeper.current()).publications)).toEqual([
    "bookworm",
    "trixie",
  ]);
  expect(await published()).toContain("source hello 1.0");
});

test("two publications at once make two revisions", async () => {
  const results = await Promise.all([
    keeper.publish(request(1, "hello", "1")),
    keeper.publish(request(2, "other", "1")),
  ]);
  expect(results).toMatchObject([{ outcome: "passed" }, { outcome: "passed" }]);
  expect(await published()).toHaveLength(4);
});

test("keeps PPAs", async () => {
  const { root } = await keeper.resetPpa("ci_pool-001", "bookworm");
  const { binaries } = request(1, "hello", "1");
  await keeper.addToPpa("ci_pool-001", "bookworm", binaries);
  expect(root).toBe(join(paths.ppa, "ci_pool-001"));
  await keeper.clearPpa("ci_pool-001");
});
