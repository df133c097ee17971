import { createHash } from "node:crypto";
import type { Server } from "node:net";
import { connect, createServer } from "node:net";
import { resolve } from "node:path";

/**
 * Runs work while nobody else on this machine, in this process or another, does so for the same
 * folder; waits for its turn, until the signal ends that. The turn is a socket in the kernel's abstract namespace (unix(7)): it
 * ends with its process however that ends, so there is nothing stale to find out about.
 */
export async function alone<T>(
  folder: string,
  work: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const digest = createHash("sha256").update(resolve(folder)).digest("hex");
  const name = `\0ubuntu-ci-${digest}`;
  let server: Server | undefined;
  signal?.throwIfAborted();
  while ((server = await listen(name)) === undefined) {
    await ended(name, signal);
    signal?.throwIfAborted();
  }
  try {
    return await work();
  } finally {
    await close(server);
  }
}

const waiting = new WeakMap<Server, Set<{ destroy(): void }>>();

/** Listens on that name, or undefined when somebody else does. */
async function listen(name: string): Promise<Server | undefined> {
  return new Promise((done, fail) => {
    const connections = new Set<{ destroy(): void }>();
    const server = createServer((connection) => {
      connections.add(connection);
      connection.on("error", () => connections.delete(connection));
      connection.on("close", () => connections.delete(connection));
    });
    waiting.set(server, connections);
    server.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") done(undefined);
      else fail(error);
    });
    server.listen(name, () => done(server));
  });
}

/** Returns when the one who listens on that name has ended, or the signal says so. */
async function ended(name: string, signal?: AbortSignal): Promise<void> {
  return new Promise((done) => {
    // Refused or reset means that it ended between two looks; whoever comes next tries to listen.
    const connection = connect(name);
    const give = () => connection.destroy();
    signal?.addEventListener("abort", give, { once: true });
    connection
      .on("error", () => undefined)
      .on("close", () => {
        signal?.removeEventListener("abort", give);
        done();
      });
  });
}

async function close(server: Server): Promise<void> {
  return new Promise((done) => {
    server.close(() => done());
    for (const connection of waiting.get(server) ?? []) connection.destroy();
  });
}
