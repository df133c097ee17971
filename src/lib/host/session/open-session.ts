import { copyFile, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { messageOf, misconfigured, notNow } from "../../domain/error.ts";
import { exec, requireTools, start } from "../exec.ts";
import { programRoot } from "../paths.ts";
import { removeTree } from "./remove-tree.ts";
import type { RunOptions, Session, SessionOptions } from "./session.ts";

const holder = join(programRoot, "src/lib/host/session/holder.sh");
const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** uid and gid of the plain user in every base. */
const builderId = "1000";

/**
 * Opens a throw-away root filesystem over layers, without privileges (see holder.sh).
 *
 * @throws UbuntuCiError (78) when we are root, or this machine cannot open sessions; (75) otherwise
 */
export async function openSession(options: SessionOptions): Promise<Session> {
  if (process.geteuid?.() === 0) {
    throw misconfigured(
      "sessions are not opened as root: builds never run with privileges",
      "run the command as the user who owns the state folder (maintenance/quickstart makes one)",
    );
  }
  const { scratch } = options;
  const upper = join(scratch, "upper");
  await mkdir(join(scratch, "lower"), { recursive: true });
  for (const folder of ["upper", "work", "root"])
    await mkdir(join(scratch, folder));
  for (const [index, layer] of options.layers.entries())
    await symlink(layer, join(scratch, "lower", String(index)));
  const hostname = options.hostname ?? "session";
  await writeFile(
    join(scratch, "hosts"),
    `127.0.0.1 localhost ${hostname}\n::1 localhost ip6-localhost\n`,
  );
  // The name server is the machine's; without one, names do not resolve inside either.
  await copyFile("/etc/resolv.conf", join(scratch, "resolv.conf")).catch(() =>
    writeFile(join(scratch, "resolv.conf"), ""),
  );
  const made: string[] = [];
  let pid = "";
  let isReady: () => void = () => undefined;
  const ready = new Promise<void>((done) => (isReady = done));
  const binds = (options.binds ?? []).flatMap(({ from, to, writable }) => [
    writable ? "rw" : "ro",
    from,
    to,
  ]);
  const process_ = start(
    [
      ...[
        "unshare",
        "--user",
        "--map-auto",
        "--map-root-user",
        "--mount",
        "--pid",
        "--ipc",
        "--uts",
        "--net",
      ],
      ...["--fork", "--kill-child", "sh", holder],
      ...[
        hostname,
        options.layers.map((_, index) => `lower/${index}`).join(":"),
        options.hidePackageLists === true ? "yes" : "no",
      ],
      ...binds,
    ],
    {
      cwd: scratch,
      env: { PATH: path, LC_ALL: "C.UTF-8" },
      onLine(line) {
        const [word, rest] = [
          line.split(" ", 1)[0],
          line.slice(line.indexOf(" ") + 1),
        ];
        if (word === "pid") pid = rest;
        else if (word === "made") made.push(rest);
        else if (word === "ready") isReady();
      },
    },
  );
  const failure = await Promise.race([
    ready.then(() => undefined),
    process_.ended,
  ]);
  if (failure !== undefined) {
    await removeTree(scratch);
    // unshare starts newuidmap, so that a missing one looks like a failure of unshare.
    requireTools(["unshare", "newuidmap", "newgidmap", "perl"], path);
    throw notNow(
      `a session could not be opened: ${failure}`,
      "`ubuntu-ci doctor` says what this machine lacks",
    );
  }

  const enter: Session["enter"] = ({
    user = "root",
    network = false,
    cwd = "/",
    env = {},
  } = {}) => [
    ...[
      "nsenter",
      "--target",
      pid,
      "--user",
      "--mount",
      "--pid",
      "--ipc",
      "--uts",
    ],
    ...(network ? [] : ["--net"]),
    ...(user === "builder"
      ? [
          "setpriv",
          `--reuid=${builderId}`,
          `--regid=${builderId}`,
          "--clear-groups",
          "--no-new-privs",
        ]
      : []),
    ...[
      "env",
      "-i",
      "-C",
      cwd,
      `PATH=${path}`,
      `HOME=${user === "root" ? "/root" : "/home/builder"}`,
      "LC_ALL=C.UTF-8",
    ],
    ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
  ];

  return {
    upper,
    enter,
    async run(argv, runOptions: RunOptions = {}) {
      const { timeoutMs, signal, user, network, cwd, env, ...io } = runOptions;
      let timedOut = false;
      // Ending nsenter would leave what it started; the holder ends everything inside.
      const send = () => process_.send("kill");
      let again: NodeJS.Timeout | undefined;
      const kill = () => {
        send();
        // Sent once only, it could come just before the command has entered.
        again ??= setInterval(send, 200);
      };
      const timer =
        timeoutMs === undefined
          ? undefined
          : setTimeout(() => {
              timedOut = true;
              kill();
            }, timeoutMs);
      signal?.addEventListener("abort", kill, { once: true });
      try {
        signal?.throwIfAborted();
        const inside = enter({
          ...(user !== undefined && { user }),
          ...(network !== undefined && { network }),
          ...(cwd !== undefined && { cwd }),
          ...(env !== undefined && { env }),
        });
        const result = await exec([...inside, ...argv], { ...io, cwd: "/" });
        return { ...result, timedOut, cancelled: signal?.aborted === true };
      } finally {
        clearTimeout(timer);
        clearInterval(again);
        signal?.removeEventListener("abort", kill);
      }
    },
    async close({ keep = false } = {}) {
      process_.send("kill");
      process_.endInput();
      await process_.ended;
      if (!keep) {
        await removeTree(scratch);
        return;
      }
      // Mountpoints that were made for us are not part of what the session wrote.
      for (const mountpoint of made.reverse()) {
        try {
          await rm(join(upper, mountpoint), { recursive: false }).catch(
            async (thrown: unknown) => {
              if ((thrown as NodeJS.ErrnoException).code !== "ERR_FS_EISDIR")
                throw thrown;
              await (
                await import("node:fs/promises")
              ).rmdir(join(upper, mountpoint));
            },
          );
        } catch (thrown) {
          const { code } = thrown as NodeJS.ErrnoException;
          if (code !== "ENOTEMPTY" && code !== "ENOENT") {
            throw notNow(
              `the mountpoint ${mountpoint} cannot be removed: ${messageOf(thrown)}`,
            );
          }
        }
      }
    },
  };
}
