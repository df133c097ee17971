import {
  chmod,
  copyFile,
  constants,
  mkdir,
  readFile,
  symlink,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";

import { misconfigured, notNow } from "../domain/error.ts";
import {
  exec,
  requireTools,
  start,
  type RunningProcess,
} from "../host/exec.ts";
import { hasCode } from "../files/optional-file.ts";
import { startOf } from "../files/process-identity.ts";
import { limitWords } from "./limits.ts";
import { LimitExceeded, type EndingLimit } from "./resources.ts";
import { watchDisk } from "./watch-disk.ts";
import {
  addressesOf,
  connect,
  machineNameServers,
  type SessionNetwork,
} from "./network.ts";
import { perl } from "./perl.ts";
import { removeTree } from "./remove-tree.ts";
import { asSubordinateRoot } from "./subordinate-ids.ts";
import type {
  GivenFile,
  NetworkPolicy,
  RunOptions,
  Session,
  SessionOptions,
} from "./session.ts";
import { advice, remedy } from "../domain/remedy.ts";

const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** uid and gid of the plain user in every base. */
const builderId = "1000";

/**
 * Opens a throw-away root filesystem over layers, without privileges (see holder.pl).
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
  // Other programs start these; without this check, a missing one would look like their failure.
  requireTools(["unshare", "perl"]);
  const { scratch, network } = options;
  const upper = join(scratch, "layer/root");
  await prepareFolders(options);
  const { resources } = options;
  let exceeded: LimitExceeded | undefined;
  const exceed = (which: EndingLimit) => {
    if (resources !== undefined)
      exceeded ??= new LimitExceeded(which, resources);
  };
  const { holder, outer, inner } = await startHolder(options, exceed);
  const endFor = (which: EndingLimit) => {
    exceed(which);
    holder.send("end");
  };
  const disk =
    resources === undefined
      ? undefined
      : await watchDisk(join(scratch, "layer"), resources.diskMiB, () =>
          endFor("diskMiB"),
        );
  const [ofHolder, ofInside] = [outer, inner].map(
    (pid) => `${pid}:${startOf(Number(pid)) ?? "gone"}`,
  );
  const limits = limitWords(
    await readFile("/proc/self/limits", "utf8"),
    resources,
  );
  let connection: Promise<SessionNetwork> | undefined;

  const enter: Session["enter"] = async ({
    user = "root",
    network: wantsNetwork = false,
    cwd = "/",
    env = {},
  } = {}) => {
    if (wantsNetwork) {
      if (network === undefined)
        throw new RangeError("a session without a network was asked for it");
      await (connection ??= connect(outer, network, scratch));
    }
    const namespaces = [
      // The network namespace belongs to the holder's user namespace, so it is entered first.
      ...(wantsNetwork ? [`user:${ofHolder}`, `net:${ofHolder}`] : []),
      // The user namespace comes first: once in the process namespace, the command is visible inside and
      // must not be the owner any more.
      ...["user", "mnt", "pid", "ipc", "uts"].map(
        (type) => `${type}:${ofInside}`,
      ),
      ...(wantsNetwork ? [] : [`net:${ofInside}`]),
    ];
    const environment = {
      PATH: path,
      HOME: user === "root" ? "/root" : "/home/builder",
      LC_ALL: "C.UTF-8",
      ...env,
    };
    return [
      ...perl("supervise"),
      ...limits,
      ...namespaces.flatMap((namespace) => ["enter", namespace]),
      ...(user === "builder" ? ["user", builderId] : []),
      ...["folder", cwd],
      ...Object.entries(environment).flatMap(([name, value]) => [
        ...["env", `${name}=${value}`],
      ]),
      "--",
    ];
  };

  return {
    upper,
    enter,
    async run(argv, runOptions: RunOptions = {}) {
      const { timeoutMs, signal, user, network, cwd, env, ...io } = runOptions;
      let timedOut = false;
      // Ending supervise.pl would leave its children; the holder ends everything inside.
      const end = () => holder.send("end");
      const timer =
        timeoutMs === undefined
          ? undefined
          : setTimeout(() => {
              timedOut = true;
              end();
            }, timeoutMs);
      signal?.addEventListener("abort", end, { once: true });
      try {
        signal?.throwIfAborted();
        const inside = await enter({
          ...(user !== undefined && { user }),
          ...(network !== undefined && { network }),
          ...(cwd !== undefined && { cwd }),
          ...(env !== undefined && { env }),
        });
        const result = await exec([...inside, ...argv], {
          ...io,
          cwd: "/",
          ...(io.logFile !== undefined &&
            resources !== undefined && {
              logLimit: {
                bytes: resources.logMiB * 1024 ** 2,
                reached: () => endFor("logMiB"),
              },
            }),
        });
        if (exceeded !== undefined) throw exceeded;
        return { ...result, timedOut, cancelled: signal?.aborted === true };
      } finally {
        clearTimeout(timer);
        signal?.removeEventListener("abort", end);
      }
    },
    exceeded: () => exceeded,
    async disconnect() {
      const connected = await connection;
      connection = undefined;
      await connected?.close();
    },
    async close({ keep = false } = {}) {
      disk?.stop();
      holder.send("end");
      holder.endInput();
      await holder.ended;
      await connection?.then(
        (connected) => connected.close(),
        () => undefined, // it never was
      );
      if (!keep) await removeTree(scratch);
    },
  };
}

/** Creates the folders and files that holder.pl expects in the scratch folder. */
async function prepareFolders({
  scratch,
  layers,
  given = [],
  hostname = "session",
  network,
}: SessionOptions): Promise<void> {
  // The session's root, another user outside, resolves these paths itself but cannot enter the folder
  // around them.
  await mkdir(scratch, { recursive: true });
  await chmod(scratch, 0o755);
  await mkdir(join(scratch, "layer"));
  const folders = ["given", "lower", "layer/root", "work", "root", "new"];
  for (const folder of [...folders, "empty"])
    await makeFolderOf(join(scratch, folder));
  for (const [index, layer] of layers.entries())
    await symlink(layer, join(scratch, "lower", String(index)));
  const { hosts, resolvConf } = await namesOf(network);
  const own: readonly GivenFile[] = [
    {
      path: "/etc/hosts",
      contents: `127.0.0.1 ${[...new Set(["localhost", hostname])].join(" ")}\n::1 localhost ip6-localhost\n${hosts}`,
    },
    { path: "/etc/hostname", contents: `${hostname}\n` },
    { path: "/etc/resolv.conf", contents: resolvConf },
  ];
  for (const file of [...own, ...given])
    await give(join(scratch, "given"), file);
}

/**
 * Name resolution inside: as on this machine; or for mirrors only, through a hosts file, since a name
 * server could relay data to anywhere.
 */
async function namesOf(
  network: NetworkPolicy | undefined,
): Promise<{ readonly hosts: string; readonly resolvConf: string }> {
  if (network?.reach === "mirrors") {
    const known = await addressesOf(network.hosts);
    const lines = known.map(({ host, address }) => `${address} ${host}\n`);
    return { hosts: lines.join(""), resolvConf: "" };
  }
  const servers = await machineNameServers();
  const lines = servers.map((address) => `nameserver ${address}\n`);
  return { hosts: "", resolvConf: lines.join("") };
}

async function makeFolderOf(folder: string): Promise<void> {
  await mkdir(folder);
  // Whatever the umask.
  await chmod(folder, 0o755);
}

async function give(top: string, file: GivenFile): Promise<void> {
  const { path: inside, contents, mode = 0o644 } = file;
  const parts = inside.split("/").slice(1);
  if (!inside.startsWith("/") || parts.some((part) => /^\.{0,2}$/.test(part)))
    throw new RangeError(`${inside} is no path inside a session`);
  let folder = top;
  for (const part of parts.slice(0, -1)) {
    folder = join(folder, part);
    await makeFolderOf(folder).catch((thrown: unknown) => {
      if (!hasCode(thrown, "EEXIST")) throw thrown;
    });
  }
  const place = join(top, inside);
  if (typeof contents === "string") await writeFile(place, contents);
  else await copyFile(contents.copyOf, place, constants.COPYFILE_FICLONE);
  await chmod(place, mode);
}

/** A holder, with its process id and that of PID 1 inside. */
interface Holder {
  readonly holder: RunningProcess;
  readonly outer: string;
  readonly inner: string;
}

async function startHolder(
  options: SessionOptions,
  exceed: (which: EndingLimit) => void,
): Promise<Holder> {
  const {
    processes = 0,
    memoryMiB = 0,
    tmpfsMiB = 0,
  } = options.resources ?? {};
  const { scratch, layers, hostname = "session", builderOwns } = options;
  let outer = "";
  let inner = "";
  let isReady: () => void = () => undefined;
  const ready = new Promise<void>((done) => (isReady = done));
  const holder = start(
    [
      ...[...asSubordinateRoot, "--mount", "--pid", "--net"],
      ...["--fork", "--kill-child"],
      ...[...perl("holder"), hostname, String(layers.length)],
      options.tmpOnDisk === true ? "disk" : "memory",
      builderOwns?.slice(1) ?? "",
      ...[processes, memoryMiB, tmpfsMiB].map(String),
      ...(options.binds ?? []).flatMap(({ from, to }) => {
        const folders = typeof from === "string" ? [from] : from;
        return [String(folders.length), ...folders, to];
      }),
    ],
    {
      cwd: scratch,
      env: { PATH: path, LC_ALL: "C.UTF-8" },
      onLine(line) {
        if (line === "limit processes") exceed("processes");
        if (line === "limit memoryMiB") exceed("memoryMiB");
        const match = /^ready ([0-9]+) ([0-9]+)$/.exec(line);
        if (match === null || inner !== "") return;
        [, outer = "", inner = ""] = match;
        isReady();
      },
    },
  );
  const failure = await Promise.race([
    ready.then(() => undefined),
    holder.ended,
  ]);
  if (failure === undefined) return { holder, outer, inner };
  await removeTree(scratch);
  // unshare starts newuidmap, so a missing one would look like a failure of unshare.
  requireTools(["unshare", "newuidmap", "newgidmap", "perl"], path);
  throw notNow(
    `a session could not be opened: ${failure}`,
    advice`${remedy("doctor")} says what this machine lacks`,
  );
}
