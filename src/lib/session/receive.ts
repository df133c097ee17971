import { mkdir, mkdtemp, readdir, rename, rmdir } from "node:fs/promises";

import { notNow, UbuntuCiError, ExitCode } from "../domain/error.ts";
import { describeEnd, exec, lastLines } from "../host/exec.ts";
import { perl } from "./perl.ts";
import { removeTree } from "./remove-tree.ts";
import { asSubordinateRoot } from "./subordinate-ids.ts";

/** Limits on what is taken out of a session at a time. */
interface ReceiveLimits {
  readonly files: number;
  readonly bytes: number;
}

/** Deeper folders would exceed the system's limit on path lengths. */
const maxDepth = 64;

/** Runs a command that sees no process, network or mount of ours, and ends when we do. */
const asTheirRoot = [
  ...[...asSubordinateRoot, "--mount"],
  ...["--pid", "--net", "--ipc", "--fork", "--kill-child"],
];

/** A limit was exceeded; `limit` says which. */
export class TooMuch extends UbuntuCiError {
  readonly limit: string;

  constructor(what: string, limit: string) {
    super(`${what}: ${limit}`, { exitCode: ExitCode.notNow });
    this.limit = limit;
  }
}

/**
 * Copies the plain files of a folder that a session wrote into a new folder. The session has ended, so
 * nobody changes them meanwhile.
 *
 * @param upper the session's upper folder
 * @param path of the folder in it
 * @param place created; it gets plain files only
 * @throws TooMuch beyond the limits
 */
export async function takeFiles(
  upper: string,
  path: string,
  place: string,
  limits: ReceiveLimits,
  signal?: AbortSignal,
): Promise<void> {
  await mkdir(place);
  await inCell(place, async (cell) => {
    const taken = await exec(
      [
        ...[...asTheirRoot, ...perl("take"), upper, path, place],
        ...[String(limits.files), String(limits.bytes)],
      ],
      { cwd: cell, ...(signal !== undefined && { signal }) },
    );
    if (taken.exitCode === 0) return;
    signal?.throwIfAborted();
    const limit = /^limit: (.*)$/m.exec(taken.stderr)?.[1];
    if (limit !== undefined) throw new TooMuch(path, limit);
    throw notNow(`${path} ${describeEnd(taken)}: ${lastLines(taken.stderr)}`);
  });
}

interface Received {
  /** How many entries were skipped: links, devices, and anything else but plain files and folders. */
  readonly leftOut: number;
  /** The limit at which unpacking stopped, in words, or null. */
  readonly limit: string | null;
}

/** Unpacks a tar archive from a session into a new folder: plain files and folders only. Unpacking stops at the limits. */
export async function receiveArchive(
  archive: string,
  place: string,
  limits: ReceiveLimits,
): Promise<Received> {
  await mkdir(place);
  return inCell(place, async (cell) => {
    const received = await exec(
      [
        ...[...asTheirRoot, ...perl("receive"), place],
        ...[String(limits.files), String(limits.bytes), String(maxDepth)],
      ],
      { cwd: cell, inputFile: archive },
    );
    if (received.exitCode !== 0)
      throw notNow(
        `receiving from a session ${describeEnd(received)}: ${lastLines(received.stderr)}`,
      );
    const leftOut = /^left out ([0-9]+)$/m.exec(received.stdout)?.[1];
    const limit = /^limit (.*)$/m.exec(received.stdout)?.[1];
    return { leftOut: Number(leftOut ?? 0), limit: limit ?? null };
  });
}

/** Moves received files, whose names may be any bytes, into a folder that holds nothing but such files. */
export async function mergeReceived(
  from: string | Buffer,
  to: string | Buffer,
): Promise<void> {
  await mkdir(to, { recursive: true });
  const options = { withFileTypes: true, encoding: "buffer" } as const;
  for (const entry of await readdir(from, options)) {
    const [source, target] = [below(from, entry.name), below(to, entry.name)];
    if (entry.isDirectory()) await mergeReceived(source, target);
    else await rename(source, target);
  }
  await rmdir(from);
}

function below(folder: string | Buffer, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(folder), Buffer.from("/"), name]);
}

async function inCell<T>(
  place: string,
  work: (cell: string) => Promise<T>,
): Promise<T> {
  const cell = await mkdtemp(`${place}.cell-`);
  try {
    return await work(cell);
  } finally {
    await removeTree(cell);
  }
}
