import { expect, test } from "vitest";

import { spaceFindings } from "./disk.ts";

const good = {
  type: 0xef53,
  bsize: 4096,
  bavail: 10_000_000,
  files: 1_000_000,
  ffree: 500_000,
};
const wrong = (disk: object) =>
  spaceFindings({ ...good, ...disk }, "/state").filter(({ ok }) => !ok);

test("a full disk, one without inodes, and another machine's are told apart", () => {
  expect(wrong({})).toEqual([]);
  expect(wrong({ bavail: 100_000 })).toMatchObject([
    { name: "disk", detail: "0.4 GB free" },
  ]);
  expect(wrong({ ffree: 1000 })).toMatchObject([
    { name: "inodes", detail: "1000 free" },
  ]);
  expect(wrong({ type: 0x6969 })).toMatchObject([
    { name: "file system", detail: "/state is on NFS" },
  ]);
});

test("a file system that makes inodes as it needs them has enough", () => {
  expect(wrong({ files: 0, ffree: 0 })).toEqual([]);
});
