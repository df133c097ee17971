import { expect, test } from "vitest";

import { nameServers, routesFor } from "./network.ts";

test("the internet is reached, and no private network or address of this machine", () => {
  const routes = routesFor("internet", [], ["203.0.113.9"]);
  expect(routes).toContain("route add default via 10.0.2.2 dev eth0 onlink");
  for (const network of [
    "10.0.0.0/8",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "203.0.113.9/32",
  ])
    for (const line of [
      `route add unreachable ${network}`,
      `xfrm policy add src 0.0.0.0/0 dst ${network} dir out priority ${2 + 2 * (32 - Number(network.split("/")[1]))} action block`,
    ])
      expect(routes).toContain(line);
});

test("what may be reached is, where it would not be, and alone where only mirrors are", () => {
  const routes = routesFor(
    "mirrors",
    ["10.1.2.3", "192.168.0.0/16"],
    ["10.1.2.3"],
  );
  expect(routes.filter((route) => route.includes(" via "))).toEqual([
    "route add 10.1.2.3/32 via 10.0.2.2 dev eth0 onlink",
    "route add 192.168.0.0/16 via 10.0.2.2 dev eth0 onlink",
  ]);
  expect(routes).not.toContain("route add unreachable 192.168.0.0/16");
  expect(routes).not.toContain("route add unreachable 10.1.2.3/32");
  expect(routes).toContain(
    "xfrm policy add src 0.0.0.0/0 dst 192.168.0.0/16 dir out priority 33 action allow",
  );
  expect(routes.at(-1)).toBe(
    "xfrm policy add src 0.0.0.0/0 dst 0.0.0.0/0 dir out priority 66 action block",
  );
});

test("of two that overlap the more precise counts, also for a socket that is bound to the device", () => {
  const routes = routesFor("internet", ["192.168.0.0/16"], ["192.168.1.5"]);
  const priorityOf = (network: string) =>
    Number(
      routes
        .find((line) => line.includes(`policy`) && line.includes(network))
        ?.match(/priority ([0-9]+)/)?.[1],
    );
  expect(priorityOf("192.168.1.5/32")).toBeLessThan(
    priorityOf("192.168.0.0/16"),
  );
  expect(routes).toContain("route add unreachable 192.168.1.5/32");
});

test("name servers are those of resolv.conf that IPv4 reaches", () => {
  expect(
    nameServers(
      "# nameserver 1.1.1.1\nnameserver 9.9.9.9\nsearch example.org\n nameserver\t8.8.8.8 \nnameserver ::1\nnameserver x\n",
    ),
  ).toEqual(["9.9.9.9", "8.8.8.8"]);
});
