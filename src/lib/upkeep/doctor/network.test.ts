import { expect, test } from "vitest";

import { networkFinding } from "./network.ts";

test("a device that may not be used is a finding with its remedy", () => {
  expect(networkFinding("/dev/null").ok).toBe(true);
  expect(networkFinding("/dev/no/such")).toMatchObject({
    name: "network",
    remedy: "as root: modprobe tun; chmod 0666 /dev/no/such",
  });
});
