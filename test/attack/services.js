import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { networkInterfaces } from "node:os";

/** Services of the host that note down who says something to them. */
export class Services {
  #heard = new Map();
  #open = [];
  /** @type {string[]} */ targets = [];
  port = 0;

  static async start() {
    const services = new Services();
    const port = (services.port = await services.#listen("tcp", {
      host: "::",
      port: 0,
    }));
    await services.#datagrams(port);
    const name = `ubuntu-ci-attack-${randomBytes(6).toString("hex")}`;
    await services.#listen("abstract", { path: `\0${name}` });
    const own = Object.values(networkInterfaces())
      .flat()
      .filter(({ internal, scopeid }) => !internal && !scopeid)
      .map(({ address }) => address);
    // What programs that give a namespace its network call the host: the gateway, and fixed ones.
    const host = [gateway(), "10.0.2.2", "169.254.1.1"];
    const addresses = ["127.0.0.1", "127.9.9.9", "::1", ...own, ...host];
    services.targets = [
      ...addresses
        .filter((address) => address !== undefined)
        .map((address) => `tcp|${address}|${port}`),
      ...["127.0.0.1", ...own].map((address) => `udp|${address}|${port}`),
      `abstract|${name}`,
    ];
    return services;
  }

  /** The kinds of services that have heard that name. */
  reachedBy(id) {
    return [...(this.#heard.get(id) ?? [])];
  }

  stop() {
    for (const one of this.#open) one.close();
  }

  #note(kind, text) {
    for (const id of String(text).split("\n"))
      this.#heard.set(id, (this.#heard.get(id) ?? new Set()).add(kind));
  }

  #listen(kind, where) {
    return new Promise((done, fail) => {
      const server = createServer((connection) => {
        connection.on("error", () => undefined);
        connection.on("data", (text) =>
          this.#note(
            kind === "tcp" ? `tcp ${connection.localAddress}` : kind,
            text,
          ),
        );
      });
      server.on("error", fail);
      server.listen(where, () => done(server.address().port));
      server.unref();
      this.#open.push(server);
    });
  }

  #datagrams(port) {
    return new Promise((done, fail) => {
      const socket = createSocket("udp6");
      socket.on("error", fail);
      socket.on("message", (text) => this.#note("udp", text));
      socket.bind(port, "::", done);
      socket.unref();
      this.#open.push(socket);
    });
  }
}

/** The gateway of the default route, by the kernel's own table (proc(5), /proc/net/route). */
function gateway() {
  const route = readFileSync("/proc/net/route", "utf8")
    .split("\n")
    .map((line) => line.split("\t"))
    .find(([, destination]) => destination === "00000000");
  const bytes = route?.[2]?.match(/../g);
  return bytes
    ?.reverse()
    .map((byte) => parseInt(byte, 16))
    .join(".");
}
