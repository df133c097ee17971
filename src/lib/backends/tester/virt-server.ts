import { mkdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { messageOf } from "../../domain/error.ts";
import { describeEnd, exec, execOk, lastLines } from "../../host/exec.ts";
import type { Base } from "../../session/layer.ts";
import { openSession } from "../../session/open-session.ts";
import { mergeReceived, receiveArchive } from "../../session/receive.ts";
import type { Resources } from "../../session/resources.ts";
import { removeTree } from "../../session/remove-tree.ts";
import { setUpTestbedApt, type TestbedApt } from "../session-apt.ts";
import type { Session } from "../../session/session.ts";
import type { AptRepository } from "../apt-repository.ts";

/** What the tester passes to the testbed, in a JSON file. */
export interface TestbedOptions {
  /** Root folders of the image's layers, the topmost first. */
  readonly layers: readonly string[];
  readonly base: Base;
  readonly repositories: readonly AptRepository[];
  readonly scratch: string;
  /** What tests can reach over the network. */
  readonly reach: "internet" | "mirrors" | "none";
  /** Private networks that tests may reach, too. */
  readonly allow: readonly string[];
  /** What the testbed may use; without it nothing but the machine sets limits. */
  readonly resources?: Resources;
  /** File that gets the limit at which a testbed was ended. */
  readonly exceeded: string;
}

interface Testbed {
  /** Carries out a command of autopkgtest and returns the answer. @throws when it fails */
  answer(line: string): Promise<string>;
  close(): Promise<void>;
}

/** Where autopkgtest may write inside the testbed. */
const scratchspace = "/tmp/autopkgtest";

/** Limits on one transfer from a testbed, far above any large source tree. */
const most = { files: 1_000_000, mebibytes: 65_536 };

/**
 * A virtualisation server for autopkgtest (README.virtualisation-server) whose testbeds are sessions. A
 * revert opens a new session over the same layers.
 *
 * Files are transferred only as streams. From what a testbed sends, only plain files and folders are
 * unpacked, confined to a folder. The archive itself is kept, so that a tree that is copied on to the
 * next testbed, as the source package is, arrives there with its links.
 */
export function createTestbed(options: TestbedOptions): Testbed {
  let opened:
    { session: Session; folder: string; argv: readonly string[] } | undefined;
  let prepared: Promise<string> | undefined;
  let count = 0;
  let copies = 0;
  /** The archives of trees that were copied up, by the folder they went to. */
  const sent = new Map<string, string>();

  const mebibytes = options.resources?.resultsMiB ?? most.mebibytes;
  const limits = { files: most.files, bytes: mebibytes * 1024 ** 2 };

  const openOver = async (
    layers: readonly string[],
    scratch: string,
  ): Promise<{ session: Session; apt: TestbedApt }> => {
    const { base, repositories, allow, reach, resources } = options;
    const apt = await setUpTestbedApt(base, repositories, allow);
    const session = await openSession({
      layers,
      scratch,
      hostname: "testbed",
      tmpOnDisk: true,
      given: apt.given,
      binds: apt.binds,
      ...(resources !== undefined && { resources }),
      ...(reach !== "none" && { network: { ...apt.network, reach } }),
    });
    return { session, apt };
  };

  /**
   * Makes the layer that all testbeds have in common: package lists, and apt's cache of them, which every
   * testbed would else have to make for itself.
   */
  const prepare = async (): Promise<string> => {
    const scratch = join(options.scratch, "prepared");
    const { session, apt } = await openOver(options.layers, scratch);
    try {
      // Images made by earlier versions have no package lists.
      const lists = await session.run([
        "sh",
        "-c",
        "ls /var/lib/apt/lists/*_*",
      ]);
      const all = lists.exitCode !== 0 && options.reach !== "none";
      await apt.update(session, all);
      await inside(session, ["apt-cache", "gencaches"]);
      return session.upper;
    } finally {
      await session.close({ keep: true });
    }
  };

  const open = async (): Promise<string> => {
    const top = await (prepared ??= prepare());
    count += 1;
    const folder = join(options.scratch, `testbed-${count}`);
    await mkdir(folder, { recursive: true });
    const layers = [top, ...options.layers];
    const { session } = await openOver(layers, join(folder, "session"));
    // Recorded now, so that `close` ends the session also when a later step fails.
    const testbed = (opened = {
      session,
      folder,
      argv: [] as readonly string[],
    });
    testbed.argv = await session.enter({
      network: options.reach !== "none",
      env: { DEBIAN_FRONTEND: "noninteractive" },
    });
    await inside(session, ["mkdir", "--mode=1777", scratchspace]);
    return scratchspace;
  };

  const close = async (): Promise<void> => {
    if (opened === undefined) return;
    const { session, folder } = opened;
    opened = undefined;
    await session.close();
    const limit = session.exceeded();
    if (limit !== undefined) await writeFile(options.exceeded, limit.message);
    await removeTree(folder);
  };

  const current = () => {
    if (opened === undefined) throw new Error("the testbed is not open");
    return opened;
  };

  const inside = async (
    session: Session,
    argv: readonly string[],
    inputFile?: string,
  ): Promise<void> => {
    const ended = await session.run(
      argv,
      inputFile === undefined ? {} : { inputFile },
    );
    if (ended.exitCode !== 0)
      throw new Error(
        `${argv[0] ?? ""} failed in the testbed: ${lastLines(ended.stderr)}`,
      );
  };

  const copyDown = async (from: string, to: string): Promise<void> => {
    if (!from.endsWith("/")) {
      const { mode } = await stat(from);
      const script = 'cat >"$1" && chmod "$2" "$1"';
      const octal = (mode & 0o777).toString(8);
      await inside(
        current().session,
        ["sh", "-c", script, "sh", to, octal],
        from,
      );
      return;
    }
    const known = sent.get(from);
    const archive = known ?? nextArchive();
    if (known === undefined)
      await execOk([
        ...["tar", "--create", `--file=${archive}`, `--directory=${from}`],
        ".",
      ]);
    const { session } = current();
    await inside(session, ["mkdir", "-p", "--", to]);
    await inside(
      session,
      [
        ...["tar", "--extract", "--no-same-owner", "--same-permissions"],
        ...["--file=-", `--directory=${to}`],
      ],
      archive,
    );
    if (known === undefined) await rm(archive);
  };

  const nextArchive = (): string =>
    join(options.scratch, `copy-${(copies += 1)}.tar`);

  /** Writes the output of a command inside to a file, up to the limit. */
  const printed = async (
    argv: readonly string[],
    to: string,
  ): Promise<void> => {
    const ended = await exec([
      ...["bash", "-o", "pipefail", "-c"],
      'limit=$1 to=$2; shift 2; "$@" | head --bytes="$limit" >"$to"',
      ...["printed", String(limits.bytes), to],
      ...(await current().session.enter()),
      ...argv,
    ]);
    // tar exits with 1 when a file changed while it was read, as when a test still runs.
    if (ended.exitCode !== 0 && ended.exitCode !== 1)
      throw new Error(
        `${argv.at(-1) ?? ""} cannot be copied from the testbed: ${argv[0] ?? ""} ${describeEnd(ended)}: ${lastLines(ended.stderr)}`,
      );
  };

  const copyUp = async (from: string, to: string): Promise<void> => {
    if (!from.endsWith("/")) {
      await printed(["cat", "--", from], to);
      return;
    }
    const archive = nextArchive();
    const receive = async (): Promise<readonly string[]> => {
      await printed(
        [
          ...["tar", "--create", "--file=-", "--format=gnu", "--sparse"],
          ...["--hard-dereference", `--directory=${from}`, "."],
        ],
        archive,
      );
      const place = `${archive}.received`;
      const { leftOut, limit } = await receiveArchive(archive, place, limits);
      await mergeReceived(place, to);
      return [
        ...(leftOut === 0 ? [] : [`${leftOut} that are no plain files`]),
        ...(limit === null ? [] : [`what is behind ${limit}`]),
      ];
    };
    if (!to.endsWith("/artifacts/")) {
      await receive();
      sent.set(to, archive);
      return;
    }
    // What a test left never changes how it ended.
    const notes = await receive().catch(async (thrown: unknown) => {
      await mkdir(to, { recursive: true });
      return [messageOf(thrown)];
    });
    await rm(archive, { force: true });
    if (notes.length > 0)
      process.stderr.write(
        `ubuntu-ci-testbed: left out of the artifacts: ${notes.join(", ")}\n`,
      );
  };

  return {
    close,
    async answer(line) {
      const [command, ...args] = line.trim().split(/\s+/);
      const [first = "", second = ""] = args.map(decodeURIComponent);
      switch (command) {
        case "capabilities":
          return "ok revert revert-full-system root-on-testbed suggested-normal-user=builder";
        case "open":
          return `ok ${await open()}`;
        case "revert":
          await close();
          return `ok ${await open()}`;
        case "print-execute-command":
          return `ok ${current().argv.map(encodeURIComponent).join(",")}`;
        case "copydown":
          await copyDown(first, second);
          return "ok";
        case "copyup":
          await copyUp(first, second);
          return "ok";
        case "close":
          await close();
          return "ok";
        case "auxverb_debug_fail":
          return "ok";
        case undefined:
        default:
          throw new Error(`no such command: ${line}`);
      }
    },
  };
}
