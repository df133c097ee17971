import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { Installation } from "./support/program.ts";

const path = process.env["PATH"];
let ci: Installation;

beforeEach(() => (ci = new Installation({})));
afterEach(() => {
  process.env["PATH"] = path;
  ci.remove();
});

interface Finding {
  name: string;
  ok: boolean;
  detail: string;
  remedy: string | null;
}

/** What the doctor says with that configuration, by name. */
function diagnosis(config: object): Map<string, Finding> {
  writeFileSync(join(ci.root, "config.json"), JSON.stringify(config));
  const { code, stdout } = ci.run("doctor", "--json");
  const { ok, findings } = JSON.parse(stdout) as {
    ok: boolean;
    findings: Finding[];
  };
  expect(code).toBe(ok ? 0 : 78);
  for (const { ok: good, remedy } of findings)
    expect(good ? remedy === null : (remedy ?? "") !== "").toBe(true);
  return new Map(findings.map((finding) => [finding.name, finding]));
}

test("each tool that is missing is named with its package, and the rest is looked at all the same", () => {
  const folder = join(ci.root, "path");
  mkdirSync(folder);
  const gone = ["zstd", "newuidmap", "unshare", "aptly", "node"];
  for (const name of readdirSync("/usr/bin"))
    if (!gone.includes(name))
      symlinkSync(join("/usr/bin", name), join(folder, name));
  symlinkSync(process.execPath, join(folder, "node"));
  process.env["PATH"] = folder;
  const found = diagnosis({
    mirror: "http://127.0.0.1:9/debian",
    series: ["x"],
  });
  for (const [tool, remedy] of [
    ["zstd", "apt-get install zstd"],
    ["newuidmap", "apt-get install uidmap"],
    ["unshare", "apt-get install util-linux"],
    ["aptly", "apt-get install aptly"],
  ] as const)
    expect(found.get(tool)).toMatchObject({ ok: false, remedy });
  for (const name of ["user namespaces", "overlay"])
    expect(found.get(name)).toMatchObject({
      ok: false,
      detail: "unshare is not installed",
      remedy: "apt-get install util-linux",
    });
  expect(found.get("gpg")?.ok).toBe(true);
  expect(found.get("state folder")?.ok).toBe(true);
});

test("a mirror that does not answer, or whose keyring is not here, is told from one that does", () => {
  const series = ["bookworm"];
  const found = diagnosis({ mirror: "http://127.0.0.1:9/debian", series });
  expect(found.get("mirror of bookworm")).toMatchObject({
    ok: false,
    detail: expect.stringMatching(/^does not answer: .*127\.0\.0\.1/) as string,
    remedy: expect.stringContaining("proxy") as string,
  });
  expect(found.get("bases")).toMatchObject({
    detail: "there is none of bookworm",
    remedy: ci.line("init"),
  });
  const tree = join(ci.root, "debian");
  mkdirSync(join(tree, "dists/bookworm"), { recursive: true });
  writeFileSync(join(tree, "dists/bookworm/InRelease"), "Suite: bookworm\n");
  expect(
    diagnosis({ mirror: `file:${tree}`, series }).get("mirror of bookworm"),
  ).toMatchObject({ ok: true, detail: `file:${tree}` });
  expect(
    diagnosis({
      mirror: `file:${tree}`,
      mirrorKeyring: "/nowhere/keyring.gpg",
      series,
    }).get("mirror of bookworm"),
  ).toMatchObject({
    ok: false,
    detail: "its keyring /nowhere/keyring.gpg is not there",
  });
});

test("a state folder that cannot be made is one finding among the others", () => {
  const file = join(ci.root, "file");
  writeFileSync(file, "");
  const { code, stdout } = ci.run("doctor", "--state-dir", join(file, "state"));
  expect(code).toBe(78);
  expect(stdout).toMatch(
    /^FAIL {2}state folder: .* is not a folder: .*\n {6}name another folder/m,
  );
  expect(stdout).toMatch(/^ok {4}gpg: /m);
});
