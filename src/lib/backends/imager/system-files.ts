import { tarHeader } from "./tar-header.ts";

/**
 * Files that every system has and no package brings, as debootstrap writes them. None of them names this
 * machine: the host name and the name servers are for whoever runs the system.
 */
export const systemFiles: Readonly<Record<string, string>> = {
  "/etc/hostname": "localhost\n",
  "/etc/hosts": `127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
`,
  "/etc/resolv.conf":
    "# The name servers, as `nameserver ADDRESS`: resolv.conf(5)\n",
};

const root = { uid: 0, gid: 0 };

/** The group `tty`, the same on every Debian system (base-passwd). */
const tty = { uid: 0, gid: 5 };

/** A device: name, numbers, mode, and owner. */
const devices = [
  ["console", 5, 1, 0o600, root],
  ["full", 1, 7, 0o666, root],
  ["null", 1, 3, 0o666, root],
  ["ptmx", 5, 2, 0o666, tty],
  ["random", 1, 8, 0o666, root],
  ["tty", 5, 0, 0o666, tty],
  ["urandom", 1, 9, 0o666, root],
  ["zero", 1, 5, 0o666, root],
] as const;

const links = {
  fd: "/proc/self/fd",
  stderr: "/proc/self/fd/2",
  stdin: "/proc/self/fd/0",
  stdout: "/proc/self/fd/1",
} as const;

/**
 * The entries of /dev for a tar archive, to put before its others: sessions cannot make devices, and
 * nobody who works in the unpacked system by chroot can do without.
 *
 * @param mtime seconds
 */
export function deviceEntries(mtime: number): Buffer {
  const folder = (name: string, mode: number) =>
    tarHeader({ ...root, name: `./dev/${name}`, type: "5", mode, mtime });
  return Buffer.concat([
    folder("", 0o755),
    ...devices.map(([name, major, minor, mode, owner]) =>
      tarHeader({
        ...{ ...owner, name: `./dev/${name}`, type: "3", mode, mtime },
        device: [major, minor],
      }),
    ),
    ...Object.entries(links).map(([name, linkname]) =>
      tarHeader({
        ...{ ...root, name: `./dev/${name}`, type: "2", mode: 0o777, mtime },
        linkname,
      }),
    ),
    folder("pts/", 0o755),
    folder("shm/", 0o1777),
  ]);
}
