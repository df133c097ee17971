import { chmod, cp, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { execOk, lastLines } from "../../host/exec.ts";
import type { Base } from "../../host/session/layer.ts";
import { openSession } from "../../host/session/open-session.ts";
import { removeTree } from "../../host/session/remove-tree.ts";
import { setUpApt } from "../session-apt.ts";
import type { Session } from "../../host/session/session.ts";
import type { AptRepository } from "../apt-repository.ts";

/** What the tester tells the testbed, in a JSON file. */
export interface TestbedOptions {
  /** Root folders of the image's layers, the topmost first. */
  readonly layers: readonly string[];
  readonly base: Base;
  readonly repositories: readonly AptRepository[];
  readonly scratch: string;
  /** Whether package lists are there: without them autopkgtest is quicker, but installs nothing. */
  readonly lists: boolean;
}

interface Testbed {
  /** The answer to one command of autopkgtest. @throws when it cannot be done */
  answer(line: string): Promise<string>;
  close(): Promise<void>;
}

/** Where autopkgtest may write inside; /tmp is a folder on disk, not in memory. */
const scratchspace = "/tmp/autopkgtest";
const down = "/run/ubuntu-ci/down";

/**
 * autopkgtest's virtualisation server over sessions (README.virtualisation-server): a revert is a
 * fresh session over the same layers.
 *
 * Files cross only as streams, or through a folder that the testbed cannot write: what a test does
 * to its own files, links for instance, never makes us read or write something of the host.
 */
export function createTestbed(options: TestbedOptions): Testbed {
  let opened:
    { session: Session; folder: string; argv: readonly string[] } | undefined;
  let count = 0;
  let copies = 0;

  const open = async (): Promise<string> => {
    count += 1;
    const folder = join(options.scratch, `testbed-${count}`);
    const tmp = join(folder, "tmp");
    await mkdir(join(folder, "down"), { recursive: true });
    await mkdir(tmp);
    await chmod(tmp, 0o1777);
    const apt = await setUpApt(options.base, options.repositories, folder, {
      startServices: true,
    });
    const session = await openSession({
      layers: options.layers,
      scratch: join(folder, "session"),
      hostname: "testbed",
      hidePackageLists: !options.lists,
      binds: [
        { from: tmp, to: "/tmp", writable: true },
        { from: join(folder, "down"), to: down, writable: false },
        ...apt.binds,
        ...(options.lists
          ? [
              {
                from: join(options.base.root, "var/lib/apt/lists"),
                to: "/var/lib/apt/lists",
                writable: false,
              },
            ]
          : []),
      ],
    });
    opened = {
      session,
      folder,
      argv: session.enter({ network: true, env: apt.env }),
    };
    if (options.lists) await apt.prepare(session);
    await inside(["mkdir", "--mode=1777", scratchspace]);
    return scratchspace;
  };

  const close = async (): Promise<void> => {
    if (opened === undefined) return;
    const { session, folder } = opened;
    opened = undefined;
    await session.close();
    await removeTree(folder);
  };

  const current = () => {
    if (opened === undefined) throw new Error("the testbed is not open");
    return opened;
  };

  const inside = async (
    argv: readonly string[],
    logFile?: string,
  ): Promise<void> => {
    const ended = await current().session.run(
      argv,
      logFile === undefined ? {} : { logFile },
    );
    if (ended.exitCode !== 0)
      throw new Error(
        `${argv[0] ?? ""} failed in the testbed: ${lastLines(ended.stderr)}`,
      );
  };

  const copyDown = async (from: string, to: string): Promise<void> => {
    const { folder } = current();
    // A new name each time: what is shown read-only may be remembered inside by its name.
    const name = `copy-${(copies += 1)}`;
    const host = join(folder, "down", name);
    const isTree = from.endsWith("/");
    await cp(from, host, {
      recursive: isTree,
      preserveTimestamps: true,
      verbatimSymlinks: true,
    });
    if (isTree) await inside(["mkdir", "-p", "--", to]);
    await inside([
      "cp",
      ...(isTree ? ["--recursive", "--no-target-directory"] : []),
      "--preserve=mode,timestamps,links",
      "--",
      `${down}/${name}`,
      to,
    ]);
    await rm(host, { recursive: true });
  };

  const copyUp = async (from: string, to: string): Promise<void> => {
    if (!from.endsWith("/")) {
      await writeFile(to, "");
      await inside(
        ["sh", "-c", 'exec cat -- "$1" 2>/dev/null', "sh", from],
        to,
      );
      return;
    }
    const packed = join(current().folder, "up.tar");
    await rm(packed, { force: true });
    await inside(
      [
        "sh",
        "-c",
        'exec tar --create --file=- --directory="$1" . 2>/dev/null',
        "sh",
        from,
      ],
      packed,
    );
    await mkdir(to, { recursive: true });
    await execOk([
      "tar",
      "--extract",
      "--no-same-owner",
      "--no-same-permissions",
      `--file=${packed}`,
      `--directory=${to}`,
    ]);
    await rm(packed);
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
