import { expect, test } from "vitest";

import type { AptRepository } from "./apt-repository.ts";
import { fileUri, folderOf, repositoriesInside } from "./apt-repository.ts";

const at = (name: string, uri: string): AptRepository => ({
  name,
  uri,
  suite: "bookworm",
  component: "main",
  signingKey: "",
});

test.each(["/srv/ci/ppa/ci_pool-001", "/srv/my archive/50% +~"])(
  "the folder of %s is found again in its address",
  (folder) => {
    const uri = fileUri(folder);
    expect(uri).toMatch(/^file:\/[!-~]+$/);
    expect(folderOf(at("archive", uri))).toBe(folder);
  },
);

test("a repository elsewhere has no folder here", () => {
  expect(() => folderOf(at("archive", "http://ppa.example/x"))).toThrow(
    "archive is not on this machine",
  );
});

test("a session has the folders of this machine bound into it, and goes to others itself", () => {
  const here = at("ci_pool-001", "file:/srv/ppa/ci_pool-001");
  const there = at("archive", "http://archive.example/ubuntu");
  const { binds, uriOf } = repositoriesInside([here, there], "/run/repo");
  expect(binds).toEqual([
    { from: "/srv/ppa/ci_pool-001", to: "/run/repo/ci_pool-001" },
  ]);
  expect([here, there].map(uriOf)).toEqual([
    "file:/run/repo/ci_pool-001",
    "http://archive.example/ubuntu",
  ]);
});
