import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { readFile } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import { setTimeout } from "node:timers/promises";

import { misconfigured, notNow } from "../domain/error.ts";
import {
  describeEnd,
  exec,
  lastLines,
  requireTools,
  start,
} from "../host/exec.ts";
import { ifExists } from "../files/optional-file.ts";
import type { NetworkPolicy } from "./session.ts";
import { advice, remedy } from "../domain/remedy.ts";

/** Address of every session and of its gateway, at which pasta answers. */
const own = "10.0.2.100";
const gateway = "10.0.2.2";
const device = "eth0";

/**
 * Private and special networks (RFC 6890), where neighbouring machines, local services and cloud
 * metadata are found. The documentation networks of RFC 5737 stay reachable, since some sites do use
 * them.
 */
const privateNetworks = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "224.0.0.0/4",
  "240.0.0.0/4",
] as const;

/**
 * Input for `ip -batch` that sets up a session's network: routes to the internet, or to some addresses
 * only, but not to private networks or to this machine's addresses, unless they are in `reachable`. The
 * most specific route wins.
 *
 * @param reachable IPv4 addresses and networks
 * @param machine this machine's own IPv4 addresses
 */
export function routesFor(
  reach: NetworkPolicy["reach"],
  reachable: readonly string[],
  machine: readonly string[],
): readonly string[] {
  const blocked = new Set<string>([
    ...privateNetworks,
    ...machine.map((address) => `${address}/32`),
  ]);
  const open = new Set(
    reachable.map((one) => (one.includes("/") ? one : `${one}/32`)),
  );
  const via = `via ${gateway} dev ${device} onlink`;
  // Sockets bound to the device (SO_BINDTODEVICE) and multicast bypass routes. They cannot bypass
  // policies, which only the owner of the network can change (ip-xfrm(8)). The lowest priority number
  // wins: it falls with the prefix length, as for routes, and `reachable` comes before blocked.
  const policy = (action: "allow" | "block") => (network: string) => {
    const bits = Number(network.slice(network.indexOf("/") + 1));
    const priority = 1 + 2 * (32 - bits) + (action === "block" ? 1 : 0);
    return `xfrm policy add src 0.0.0.0/0 dst ${network} dir out priority ${priority} action ${action}`;
  };
  return [
    "link set lo up",
    `link set ${device} up mtu 65520`,
    `addr add ${own}/32 dev ${device}`,
    ...(reach === "internet" ? [`route add default ${via}`] : []),
    ...[...blocked]
      .filter((network) => !open.has(network))
      .map((network) => `route add unreachable ${network}`),
    ...[...open].map((network) => `route add ${network} ${via}`),
    ...[...open].map(policy("allow")),
    ...[...blocked].map(policy("block")),
    ...(reach === "mirrors" ? ["0.0.0.0/0"].map(policy("block")) : []),
  ];
}

/** The name servers in a resolv.conf(5) that have IPv4 addresses. */
export function nameServers(resolvConf: string): readonly string[] {
  return resolvConf.split("\n").flatMap((line) => {
    const [word, address = ""] = line.trim().split(/[ \t]+/, 2);
    return word === "nameserver" && isIP(address) === 4 ? [address] : [];
  });
}

/**
 * Name servers that sessions can use: this machine's, except those on its loopback. For
 * systemd-resolved, which listens there, the servers that it asks.
 */
export async function machineNameServers(): Promise<readonly string[]> {
  for (const file of ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"]) {
    const text = await ifExists(readFile(file, "utf8"));
    const found = nameServers(text ?? "").filter(
      (address) => !address.startsWith("127."),
    );
    if (found.length > 0) return found;
  }
  return [];
}

/** Addresses of host names; a name without an address is left out, since it may get one later. */
export async function addressesOf(
  hosts: readonly string[],
): Promise<readonly { readonly host: string; readonly address: string }[]> {
  const found = await Promise.all(
    hosts.map(async (host) => {
      const all = await lookup(host, { all: true, family: 4 }).catch(() => []);
      return all.map(({ address }) => ({ host, address }));
    }),
  );
  return found.flat();
}

/** This machine's own addresses, loopback apart. */
function machineAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((all) =>
    (all ?? [])
      .filter(({ family, internal }) => family === "IPv4" && !internal)
      .map(({ address }) => address),
  );
}

/** A session's network until it is disconnected or the session ends. */
export interface SessionNetwork {
  close(): Promise<void>;
}

/**
 * Connects the namespaces of a session's holder to the network through pasta(1), which forwards traffic
 * as an ordinary process of this user, and never to this machine's loopback.
 *
 * @param holder process id of the holder
 * @throws UbuntuCiError (78) when pasta is missing or not permitted; (75) otherwise
 */
export async function connect(
  holder: string,
  policy: NetworkPolicy,
  scratch: string,
): Promise<SessionNetwork> {
  requireTools(["pasta", "ip", "nsenter"]);
  const servers = policy.reach === "internet" ? await machineNameServers() : [];
  const hosts = (await addressesOf(policy.hosts)).map(({ address }) => address);
  const pasta = start(
    [
      // pasta ends with the session's namespace, and when this process dies.
      ...["setpriv", "--pdeathsig", "KILL"],
      ...["pasta", "--foreground", "--quiet", "--ipv4-only"],
      ...["--ns-ifname", device, "--address", own, "--gateway", gateway],
      ...["--netmask", "255.255.255.0", "--no-map-gw", "--no-dhcp"],
      // By default pasta forwards open ports in both directions.
      ...["--tcp-ports", "none", "--udp-ports", "none"],
      ...["--tcp-ns", "none", "--udp-ns", "none"],
      holder,
    ],
    { cwd: scratch, env: { PATH: process.env["PATH"] ?? "" }, onLine: none },
  );
  const ended = { how: undefined as string | undefined };
  void pasta.ended.then((how) => (ended.how = how));
  const close = async () => {
    pasta.kill();
    await pasta.ended;
  };
  try {
    const inNetwork = ["nsenter", "--target", holder, "--user", "--net"];
    // pasta does not report when the device is ready.
    for (let tries = 0; ; tries += 1) {
      const look = [...inNetwork, "ip", "link", "show", device];
      if ((await exec(look)).exitCode === 0) break;
      if (ended.how !== undefined || tries > 200)
        throw (ended.how ?? "").includes("tun")
          ? misconfigured(
              "sessions have no network: /dev/net/tun may not be used",
              "as root: modprobe tun; chmod 0666 /dev/net/tun",
            )
          : notNow(
              `a session's network could not be made: pasta ${ended.how ?? "made no device"}`,
              advice`${remedy("doctor")} says what this machine lacks`,
            );
      await setTimeout(10);
    }
    const reachable = [...policy.allow, ...hosts, ...servers];
    const routes = routesFor(policy.reach, reachable, machineAddresses());
    const routed = await exec([...inNetwork, "ip", "-batch", "-"], {
      input: `${routes.join("\n")}\n`,
    });
    if (routed.exitCode !== 0)
      throw notNow(
        `a session's network could not be made: ip ${describeEnd(routed)}: ${lastLines(routed.stderr)}`,
      );
    return { close };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

const none = () => undefined;
