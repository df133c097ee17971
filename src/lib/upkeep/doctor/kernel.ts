import { mkdir, readFile, stat } from "node:fs/promises";
import { release } from "node:os";
import { join } from "node:path";

import { exec, findTool, lastLines } from "../../host/exec.ts";
import { makeOwnFolder } from "../../files/own-folder.ts";
import { removeTree } from "../../session/remove-tree.ts";
import type { Diagnosis } from "./diagnosis.ts";
import { bad, badBecause, ok } from "./diagnosis.ts";

/** Reads a kernel setting (sysctl); undefined when the kernel does not have it. */
type ReadSetting = (name: string) => string | undefined;

const kinds = ["user", "mnt", "pid", "ipc", "uts", "net"];

const settings: readonly {
  readonly name: string;
  readonly isBad: (value: string, sessionsOpen: boolean) => boolean;
  readonly set: string;
}[] = [
  {
    name: "kernel.unprivileged_userns_clone",
    isBad: (value) => value === "0",
    set: "1",
  },
  ...kinds.map((kind) => ({
    name: `user.max_${kind}_namespaces`,
    isBad: (value: string) => Number(value) < 64,
    set: "15000",
  })),
  {
    // An AppArmor profile may still allow what this setting forbids.
    name: "kernel.apparmor_restrict_unprivileged_userns",
    isBad: (value, sessionsOpen) => value === "1" && !sessionsOpen,
    set: "0",
  },
];

/**
 * Findings about the kernel settings that sessions depend on, each with the command that corrects it.
 *
 * @param sessionsOpen whether sessions can open their namespaces
 */
export function settingFindings(
  read: ReadSetting,
  sessionsOpen: boolean,
): Diagnosis[] {
  return settings.flatMap(({ name, isBad, set }) => {
    const value = read(name)?.trim();
    if (value === undefined) return [];
    return isBad(value, sessionsOpen)
      ? bad(
          name,
          `is ${value}`,
          `as root: sysctl -w ${name}=${set} && echo ${name}=${set} >>/etc/sysctl.d/60-ubuntu-ci.conf`,
        )
      : ok(name, value);
  });
}

/** Linux 5.11 introduced overlays in user namespaces, with user extended attributes. */
export function releaseFinding(version: string): Diagnosis {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > 5 || (major === 5 && minor >= 11)
    ? ok("kernel", version)
    : bad(
        "kernel",
        `${version} is too old for overlays without privileges`,
        "install Linux 5.11 or later",
      );
}

/**
 * What to do when namespaces cannot be opened although no kernel setting forbids it.
 *
 * @param status text of /proc/self/status
 * @param helpersArePrivileged whether newuidmap and newgidmap are setuid
 */
export function namespaceRemedy(
  status: string,
  helpersArePrivileged: boolean,
): string {
  if (/^NoNewPrivs:\s*1/m.test(status))
    return "this process may not gain privileges, which newuidmap needs: start it without no_new_privs (systemd: NoNewPrivileges=no; docker: not with --security-opt no-new-privileges)";
  if (!helpersArePrivileged)
    return "newuidmap and newgidmap are not setuid root: as root, apt-get install --reinstall uidmap";
  if (/^Seccomp:\s*2/m.test(status))
    return "a seccomp filter, of a container perhaps, forbids it: allow unshare and mount (docker: --security-opt seccomp=unconfined)";
  return "look at the settings of the kernel, /etc/subuid and /etc/subgid in this list";
}

/** Whether the kernel allows sessions, with every setting that this depends on. */
export async function kernelFindings(scratch: string): Promise<Diagnosis[]> {
  const opened = await namespaces();
  const values = new Map<string, string>();
  for (const { name } of settings) {
    const value = await readFile(
      join("/proc/sys", name.replaceAll(".", "/")),
      "utf8",
    ).catch(() => undefined); // the kernel does not have this setting
    if (value !== undefined) values.set(name, value);
  }
  return [
    releaseFinding(release()),
    ...settingFindings((name) => values.get(name), opened.ok),
    opened,
    await overlay(scratch),
  ];
}

async function namespaces(): Promise<Diagnosis> {
  const name = "user namespaces";
  try {
    // The same options that open a session.
    const { exitCode, stderr } = await exec([
      ...["unshare", "--user", "--map-auto", "--map-root-user", "--mount"],
      ...["--pid", "--ipc", "--uts", "--net", "--fork", "--kill-child", "true"],
    ]);
    if (exitCode === 0) return ok(name, "can be opened");
    const status = await readFile("/proc/self/status", "utf8");
    const helpers = await Promise.all(
      ["newuidmap", "newgidmap"].map(async (tool) => {
        const path = findTool(tool);
        return path !== undefined && ((await stat(path)).mode & 0o4000) !== 0;
      }),
    );
    return bad(
      name,
      `cannot be opened: ${lastLines(stderr, 1)}`,
      namespaceRemedy(status, helpers.every(Boolean)),
    );
  } catch (thrown) {
    return badBecause(name, thrown, "");
  }
}

async function overlay(scratch: string): Promise<Diagnosis> {
  const name = "overlay";
  let folder: string | undefined;
  try {
    folder = makeOwnFolder(scratch, "doctor");
    for (const part of ["lower", "upper", "work", "root"])
      await mkdir(join(folder, part));
    const { exitCode, stderr } = await exec(
      [
        ...["unshare", "--user", "--map-root-user", "--mount"],
        ...["mount", "-t", "overlay", "overlay", "-o"],
        ...["userxattr,lowerdir=lower,upperdir=upper,workdir=work", "root"],
      ],
      { cwd: folder },
    );
    if (exitCode === 0) return ok(name, "works on the state folder's disk");
    const known = /^nodev\toverlay$/m.test(
      await readFile("/proc/filesystems", "utf8"),
    );
    return bad(
      name,
      `does not work there: ${lastLines(stderr, 1)}`,
      known
        ? "put the state folder on a file system with user attributes (ext4, xfs, btrfs; tmpfs from Linux 6.6)"
        : "as root: modprobe overlay && echo overlay >/etc/modules-load.d/ubuntu-ci.conf",
    );
  } catch (thrown) {
    return badBecause(name, thrown, "make the state folder writable");
  } finally {
    if (folder !== undefined) await removeTree(folder);
  }
}
