import { expect, test } from "vitest";

import { networkFinding, subidFinding } from "./doctor.ts";

const dev = { name: "dev", uid: 1000 };

test("a range that a system fits in is enough, by name or by number", () => {
  expect(subidFinding("/etc/subuid", "dev:100000:65536\n", dev)).toMatchObject({
    ok: true,
    detail: "65536 ids from 100000 on",
  });
  expect(subidFinding("/etc/subuid", "1000:100000:70000\n", dev).ok).toBe(true);
});

test("without one the remedy is the very command, with a range that is free", () => {
  expect(
    subidFinding("/etc/subuid", "a:100000:65536\nb:300000:65536\n", dev),
  ).toMatchObject({
    ok: false,
    detail: "dev has no subordinate ids",
    remedy: "as root: usermod --add-subuids 365536-431071 dev",
  });
  expect(subidFinding("/etc/subgid", "dev:100000:1000\n", dev)).toMatchObject({
    ok: false,
    detail: "dev has no range of 65536 subordinate ids",
    remedy: "as root: usermod --add-subgids 101000-166535 dev",
  });
  expect(subidFinding("/etc/subgid", "nonsense\n", dev).remedy).toContain(
    "100000-165535",
  );
});

test("a device that may not be used is a finding with its remedy", () => {
  expect(networkFinding("/dev/null").ok).toBe(true);
  expect(networkFinding("/dev/no/such")).toMatchObject({
    name: "network",
    remedy: "as root: modprobe tun; chmod 0666 /dev/no/such",
  });
});
