import { createReadStream } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:http";
import { randomBytes } from "node:crypto";
import type { AddressInfo } from "node:net";
import { join, sep } from "node:path";
import { pipeline } from "node:stream";

/** Folders served over HTTP to this machine only. */
export interface ServedFolders {
  /** URL of a folder, by its name. */
  readonly urlOf: (name: string) => string;
  readonly close: () => Promise<void>;
}

/**
 * Serves folders on loopback, for a tool that runs as a user who may not enter them. The URL contains a
 * secret, so that other users of the machine cannot read them.
 *
 * @param folders paths by name
 */
export async function serveFolders(
  folders: ReadonlyMap<string, string>,
): Promise<ServedFolders> {
  const secret = randomBytes(16).toString("hex");
  const answer = async (
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> => {
    const file = await fileOf(request.url ?? "", secret, folders);
    if (file === undefined) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "Content-Length": file.size });
    if (request.method === "HEAD") response.end();
    // A client that disconnects is not an error of the server.
    else pipeline(createReadStream(file.path), response, () => undefined);
  };
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.writeHead(500).end());
  });
  await new Promise<void>((done, fail) => {
    server.on("error", fail).listen(0, "127.0.0.1", done);
  });
  const { port } = server.address() as AddressInfo;
  return {
    urlOf: (name) => `http://127.0.0.1:${port}/${secret}/${name}`,
    close: async () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

/** The plain file that a URL refers to; undefined when there is none, or when it lies outside its folder. */
async function fileOf(
  url: string,
  secret: string,
  folders: ReadonlyMap<string, string>,
): Promise<{ path: string; size: number } | undefined> {
  const [, given, name = "", ...rest] = url.split("/");
  const folder = folders.get(name);
  if (given !== secret || folder === undefined) return undefined;
  try {
    const root = await realpath(folder);
    const path = await realpath(join(root, ...rest.map(decodeURIComponent)));
    if (!path.startsWith(root + sep)) return undefined;
    const status = await stat(path);
    return status.isFile() ? { path, size: status.size } : undefined;
  } catch {
    return undefined;
  }
}
