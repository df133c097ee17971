import { mkdir, readFile, statfs } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";

import { messageOf, UbuntuCiError } from "../domain/error.ts";
import type { Config } from "./config.ts";
import { exec, findTool, lastLines, missingTool } from "./exec.ts";
import { mirrorOf } from "./mirror.ts";
import { makeOwnFolder } from "./own-folder.ts";
import type { StatePaths } from "./paths.ts";
import { listLayers } from "./session/layers.ts";
import { removeTree } from "./session/remove-tree.ts";

/** One thing that was looked at; remedy says what to do when it is not right. */
export interface Finding {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  readonly remedy: string | null;
}

/** Space that a base, a build and an image take together, in bytes. */
const neededSpace = 4_000_000_000;

/** Looks whether this machine can do each step. */
export async function diagnose(
  paths: StatePaths,
  config: Config,
): Promise<Finding[]> {
  await mkdir(paths.scratch, { recursive: true });
  const found = [
    notRoot(),
    await subids("/etc/subuid"),
    await subids("/etc/subgid"),
    ...toolsFor(config).map(tool),
    await namespaces(),
    await overlay(paths.scratch),
    await space(paths.root),
    await bases(paths),
    await mirror(config),
  ];
  return found;
}

const ok = (name: string, detail: string): Finding => ({
  name,
  ok: true,
  detail,
  remedy: null,
});
const bad = (name: string, detail: string, remedy: string): Finding => ({
  name,
  ok: false,
  detail,
  remedy,
});

function notRoot(): Finding {
  const { username, uid } = userInfo();
  return uid === 0
    ? bad(
        "user",
        "root: sessions are not opened with privileges",
        "run it as a plain user; maintenance/quickstart makes one",
      )
    : ok("user", username);
}

async function subids(file: string): Promise<Finding> {
  const { username, uid } = userInfo();
  const lines = (await readFile(file, "utf8").catch(() => ""))
    .split("\n")
    .map((line) => line.split(":"));
  const mine = lines.find(
    ([name, , count]) =>
      (name === username || name === String(uid)) && Number(count) >= 65536,
  );
  const option = file.endsWith("subgid") ? "--add-subgids" : "--add-subuids";
  return mine === undefined
    ? bad(
        file,
        `${username} has no range of 65536`,
        `usermod ${option} 200000-265535 ${username} (any free range)`,
      )
    : ok(file, `${mine[1] ?? ""}, ${mine[2] ?? ""} ids`);
}

function toolsFor(config: Config): string[] {
  const tools = [
    "gpg",
    "gpgv",
    "apt-get",
    "dpkg-source",
    "zstd",
    "tar",
    "unshare",
    "nsenter",
    "newuidmap",
  ];
  if (config.get("imager") === "session" || config.get("builder") !== "fake")
    tools.push("mmdebstrap");
  if (config.get("builder") === "sbuild") tools.push("sbuild");
  if (config.get("tester") === "autopkgtest") tools.push("autopkgtest");
  if (config.get("archiveKeeper") === "aptly") tools.push("aptly");
  if (config.get("report.rsyncTarget") !== null) tools.push("rsync");
  return tools;
}

function tool(name: string): Finding {
  const path = findTool(name);
  return path === undefined
    ? bad(name, "is not installed", missingTool(name).hint ?? "")
    : ok(name, path);
}

async function namespaces(): Promise<Finding> {
  const name = "user namespaces";
  const result = await exec([
    "unshare",
    "--user",
    "--map-auto",
    "--map-root-user",
    "--mount",
    "true",
  ]).catch((thrown: unknown) => thrown);
  if (result instanceof Error)
    return bad(
      name,
      messageOf(result),
      result instanceof UbuntuCiError ? (result.hint ?? "") : "",
    );
  const { exitCode, stderr } = result as Awaited<ReturnType<typeof exec>>;
  if (exitCode === 0) return ok(name, "can be opened");
  const restricted = await readFile(
    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
    "utf8",
  ).catch(() => "0");
  return bad(
    name,
    `cannot be opened: ${lastLines(stderr, 1)}`,
    restricted.trim() === "1"
      ? "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 (and in /etc/sysctl.d), or an AppArmor profile for unshare with `userns,`"
      : "sysctl -w user.max_user_namespaces=15000 kernel.unprivileged_userns_clone=1; check /etc/subuid and that newuidmap is setuid",
  );
}

async function overlay(scratch: string): Promise<Finding> {
  const name = "overlay";
  const folder = makeOwnFolder(scratch, "doctor");
  try {
    for (const part of ["lower", "upper", "work", "root"])
      await mkdir(join(folder, part));
    const { exitCode, stderr } = await exec(
      [
        ...[
          "unshare",
          "--user",
          "--map-root-user",
          "--mount",
          "mount",
          "-t",
          "overlay",
          "overlay",
        ],
        ...[
          "-o",
          "userxattr,lowerdir=lower,upperdir=upper,workdir=work",
          "root",
        ],
      ],
      { cwd: folder },
    );
    return exitCode === 0
      ? ok(name, "works on the state folder's disk")
      : bad(
          name,
          `does not work there: ${lastLines(stderr, 1)}`,
          "needs Linux 5.11 or later and a file system with user xattrs (ext4, xfs, btrfs; tmpfs from 6.6)",
        );
  } finally {
    await removeTree(folder);
  }
}

async function space(root: string): Promise<Finding> {
  const { bavail, bsize } = await statfs(root).catch(() => statfs(tmpdir()));
  const free = bavail * bsize;
  const detail = `${(free / 1e9).toFixed(1)} GB free`;
  return free >= neededSpace
    ? ok("disk", detail)
    : bad(
        "disk",
        detail,
        `make room on the disk of ${root}: at least ${neededSpace / 1e9} GB`,
      );
}

async function bases(paths: StatePaths): Promise<Finding> {
  const names = (await listLayers(paths.layers, "base")).map(
    ({ name }) => name,
  );
  return names.length > 0
    ? ok("bases", names.join(", "))
    : bad("bases", "there is none", "ubuntu-ci init");
}

async function mirror(config: Config): Promise<Finding> {
  const series =
    config.get("series")?.[0] ??
    /VERSION_CODENAME=(\S+)/.exec(
      await readFile("/etc/os-release", "utf8"),
    )?.[1] ??
    "";
  try {
    const { sources } = await mirrorOf(series, config);
    return ok(
      "mirror",
      `${series}: ${/URIs: *(\S+)/.exec(sources)?.[1] ?? "known"}`,
    );
  } catch (thrown) {
    return bad(
      "mirror",
      messageOf(thrown),
      thrown instanceof UbuntuCiError ? (thrown.hint ?? "") : "",
    );
  }
}
