import { execFileSync, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

import { afterAll, afterEach, beforeAll, expect, test } from "vitest";

import { openSession } from "../src/lib/host/session/open-session.ts";
import { removeTree } from "../src/lib/host/session/remove-tree.ts";
import type {
  RunOptions,
  Session,
  SessionOptions,
} from "../src/lib/host/session/session.ts";

// Real sessions over a tiny system of this machine's own programs: no base is needed, no mirror, and
// everything in it is known.

const programs = [
  ...["sh", "perl", "env", "chroot", "setpriv", "mount", "umount"],
  ...["cat", "chmod", "chown", "id", "ls", "mkdir", "mknod", "readlink"],
  ...["rm", "rmdir", "sleep", "sort", "tr"],
];

let root: string;
let system: string;
let count = 0;
const open = new Set<Session>();

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "session."));
  system = layer({ "etc/passwd": "root:x:0:0::/root:/bin/sh\n" });
  for (const folder of ["proc", "sys", "dev", "run", "tmp", "root", "var/tmp"])
    mkdirSync(join(system, folder), { recursive: true });
  mkdirSync(join(system, "home/builder"), { recursive: true });
  for (const folder of ["bin", "lib", "lib64"]) {
    mkdirSync(join(system, "usr", folder), { recursive: true });
    symlinkSync(`usr/${folder}`, join(system, folder));
  }
  const files = new Set<string>();
  for (const program of programs) {
    const file = execFileSync("which", [program], { encoding: "utf8" }).trim();
    files.add(file);
    const needs = execFileSync("ldd", [file], { encoding: "utf8" });
    for (const [path] of needs.matchAll(/\/\S+/g)) files.add(path);
  }
  for (const file of files) {
    mkdirSync(join(system, dirname(file)), { recursive: true });
    execFileSync("cp", ["--dereference", file, join(system, file)]);
  }
});

afterEach(async () => {
  for (const session of open) await session.close();
  open.clear();
});

afterAll(() => removeTree(root));

/** A layer of a few files. */
function layer(files: Readonly<Record<string, string>>): string {
  const folder = join(root, `layer-${(count += 1)}`);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(folder, dirname(path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

async function session(
  options: Partial<SessionOptions> = {},
): Promise<Session> {
  const scratch = join(root, `scratch-${(count += 1)}`);
  mkdirSync(scratch);
  const opened = await openSession({ layers: [system], scratch, ...options });
  open.add(opened);
  return opened;
}

const sh = (inside: Session, script: string, options?: RunOptions) =>
  inside.run(["sh", "-c", script], options);

/** What a script prints that has to succeed. */
async function says(
  inside: Session,
  script: string,
  options?: RunOptions,
): Promise<string> {
  const { exitCode, stdout, stderr } = await sh(inside, script, options);
  if (exitCode !== 0) throw new Error(`${script}: ${stderr}${stdout}`);
  return stdout.trim();
}

const connect = (port: number) =>
  `LC_ALL=C perl -e 'socket(my $s, 2, 1, 6) or die "socket: $!\\n"; connect($s, pack("S n C4 x8", 2, ${port}, 127, 0, 0, 1)) or die "connect: $!\\n"; print "connected\\n"'`;

test("it holds the layers, the topmost winning, and nothing of this machine's files", async () => {
  const secret = join(root, "secret");
  writeFileSync(secret, "this machine's own");
  const inside = await session({
    layers: [
      layer({ "etc/who": "upper" }),
      layer({ "etc/who": "lower" }),
      system,
    ],
  });
  expect(await says(inside, "cat /etc/who")).toBe("upper");
  expect((await says(inside, "ls -A /")).split("\n")).toEqual(
    [
      ...["bin", "dev", "etc", "home", "lib", "lib64"],
      ...["proc", "root", "run", "sys", "tmp", "usr", "var"],
    ].sort(),
  );
  expect(await says(inside, "ls -A /run /tmp /home /root")).not.toMatch(
    /session\.|tester|host/,
  );
  for (const way of ["", "/proc/1/root", "/proc/1/cwd", "/proc/1/cwd/../.."])
    expect((await sh(inside, `cat ${way}${secret}`)).exitCode).not.toBe(0);
  // A way out would be an open folder or a mount that was forgotten.
  expect(
    await says(
      inside,
      "for fd in /proc/1/fd/* /proc/self/fd/*; do readlink $fd || :; done | sort -u",
    ),
  ).not.toMatch(/^\/(?!proc|dev\/null)/m);
  const mounts = (await says(inside, "cat /proc/self/mountinfo"))
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .filter((path) => !path.startsWith("/sys"));
  expect(mounts.sort()).toEqual(
    [
      ...["/", "/dev", "/dev/pts", "/dev/shm", "/proc", "/run", "/tmp"],
      ...["null", "zero", "full", "random", "urandom", "tty"].map(
        (device) => `/dev/${device}`,
      ),
      ...["/etc/hosts", "/etc/resolv.conf"],
    ].sort(),
  );
});

test("its environment is clean, of commands and of the process that holds it", async () => {
  process.env["A_SECRET"] = "of ours";
  try {
    const inside = await session();
    expect(
      (await says(inside, "env", { env: { GIVEN: "yes" } })).split("\n").sort(),
    ).toEqual([
      "GIVEN=yes",
      "HOME=/root",
      "LC_ALL=C.UTF-8",
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      "PWD=/",
    ]);
    expect(
      await says(inside, "cat /proc/*/environ | tr '\\0' '\\n'"),
    ).not.toContain("A_SECRET");
    expect(
      await says(inside, "id -u; id -G; echo $HOME", { user: "builder" }),
    ).toBe("1000\n1000\n/home/builder");
  } finally {
    delete process.env["A_SECRET"];
  }
});

test("this machine's processes are neither seen nor reached", async () => {
  const inside = await session({ hostname: "elsewhere" });
  const pids = await says(inside, "ls /proc | sort -n | tr '\\n' ' '");
  const running = pids.split(" ").filter((name) => /^[0-9]+$/.test(name));
  expect(running).toContain("1");
  expect(running.length).toBeLessThan(8);
  expect((await sh(inside, `kill -0 ${process.pid}`)).stderr).toContain(
    "No such process",
  );
  const spaces = ["user", "mnt", "pid", "ipc", "uts", "net"];
  const links = spaces.map((name) => `/proc/self/ns/${name}`);
  const here = links.map((link) => readlinkSync(link));
  const there = await says(inside, `readlink ${links.join(" ")}`);
  expect(there.split("\n").filter((name) => here.includes(name))).toEqual([]);
  const withNetwork = await says(inside, `readlink ${links.join(" ")}`, {
    network: true,
  });
  expect(withNetwork.split("\n").filter((name) => here.includes(name))).toEqual(
    [here.at(-1)],
  );
  expect(await says(inside, "cat /proc/sys/kernel/hostname")).toBe("elsewhere");
});

test("without the network there is loopback, and it is up", async () => {
  const server = createServer((socket) => socket.end());
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  try {
    const inside = await session();
    const devices = "cat /proc/net/dev";
    const lines = (await says(inside, devices)).split("\n").slice(2);
    expect(lines.map((line) => line.split(":")[0]?.trim())).toEqual(["lo"]);
    // This machine's loopback is not theirs.
    expect((await sh(inside, connect(port))).stderr).toBe(
      "connect: Connection refused\n",
    );
    expect(await says(inside, connect(port), { network: true })).toBe(
      "connected",
    );
    const own = `LC_ALL=C perl -e 'socket(my $s, 2, 1, 6); bind($s, pack("S n C4 x8", 2, 4711, 127, 0, 0, 1)) or die; listen($s, 1) or die; system(@ARGV) == 0 or die' sh -c '${connect(4711).replaceAll("'", `'\\''`)}'`;
    expect(await says(inside, own, { user: "builder" })).toBe("connected");
    // The plain user has no way to another network either.
    expect(
      (
        await sh(
          inside,
          `perl -e 'syscall(308, 0, 0x40000000); syscall(272, 0x40000000) == 0 or die "unshare: $!\\n"'`,
          {
            user: "builder",
          },
        )
      ).stderr,
    ).toContain("unshare: ");
  } finally {
    server.close();
  }
});

test("what root does inside changes neither layers nor what is shown read-only", async () => {
  const lower = layer({ "etc/kept": "as it was" });
  const shown = layer({ file: "as it was" });
  const written = layer({ file: "as it was" });
  const inside = await session({
    layers: [lower, system],
    binds: [
      { from: shown, to: "/run/shown", writable: false },
      { from: written, to: "/run/written", writable: true },
    ],
  });
  await says(
    inside,
    "echo new >/etc/kept; rm /bin/sleep; echo new >/run/written/file",
  );
  expect(readFileSync(join(lower, "etc/kept"), "utf8")).toBe("as it was");
  expect(existsSync(join(system, "usr/bin/sleep"))).toBe(true);
  expect(readFileSync(join(written, "file"), "utf8")).toBe("new\n");
  expect((await sh(inside, "echo new >/run/shown/file")).stderr).toContain(
    "Read-only file system",
  );
  for (const script of [
    "mount -o remount,bind,rw /run/shown && echo new >/run/shown/file",
    "umount /run/shown && echo new >/run/shown/file && false",
    "mknod /dev/sda b 8 0",
    "echo 1 >/proc/sys/kernel/panic",
    "echo 1 >/sys/kernel/mm/ksm/run",
  ])
    expect([script, (await sh(inside, script)).exitCode]).not.toEqual([
      script,
      0,
    ]);
  expect(readFileSync(join(shown, "file"), "utf8")).toBe("as it was");
});

test("a link in a layer cannot have a mount, or a file, made elsewhere", async () => {
  const trap = layer({});
  const outside = layer({ file: "as it was" });
  mkdirSync(trap);
  symlinkSync(outside, join(trap, "door"));
  const options = {
    layers: [trap, system],
    binds: [{ from: system, to: "/door/made", writable: false }],
  };
  await expect(session(options)).rejects.toThrow("/door is a link");
  await expect(
    session({
      binds: [{ from: system, to: "/run/../../etc", writable: false }],
    }),
  ).rejects.toThrow("has .. in it");
  expect(readdirSync(outside)).toEqual(["file"]);
});

test("resolv.conf is shown where a layer's link to it leads", async () => {
  const link = layer({ "etc/other": "" });
  symlinkSync("../run/systemd/resolv.conf", join(link, "etc/resolv.conf"));
  const inside = await session({ layers: [link, system] });
  expect(await says(inside, "cat /etc/resolv.conf; echo .")).toBe(
    `${readFileSync("/etc/resolv.conf", "utf8")}.`,
  );
});

test("a command's time limit and its cancellation end everything inside", async () => {
  const inside = await session();
  const limited = await sh(inside, "sleep 86395 & sleep 86395", {
    timeoutMs: 500,
  });
  expect(limited).toMatchObject({ timedOut: true });
  const cancel = new AbortController();
  const cancelled = await sh(
    inside,
    "sleep 86395 & echo started; sleep 86395",
    {
      signal: cancel.signal,
      onLine: () => cancel.abort(),
    },
  );
  expect(cancelled).toMatchObject({ cancelled: true, timedOut: false });
  await expect.poll(() => commandLines("86395")).toEqual([]);
  // Both ended the commands, not the session.
  expect(await says(inside, "echo here")).toBe("here");
});

test("closed, nothing is left; kept, only what was written", async () => {
  const gone = await session();
  const scratch = dirname(gone.upper);
  await says(
    gone,
    "mkdir /var/closed && echo x >/var/closed/file && chown -R 1000:1000 /var/closed && chmod 0 /var/closed",
  );
  // A folder of a subuid that only its owner may enter: not ours to remove without its mapping.
  expect(() => rmSync(scratch, { recursive: true })).toThrow(/EACCES|EPERM/);
  await gone.close();
  expect(existsSync(scratch)).toBe(false);

  const kept = await session({
    binds: [{ from: system, to: "/srv/not/there", writable: false }],
  });
  await says(kept, "echo result >/var/result; echo x >/tmp/x; echo x >/run/x");
  await kept.close({ keep: true });
  const left = execFileSync("find", [".", "-not", "-type", "d"], {
    cwd: kept.upper,
    encoding: "utf8",
  });
  expect(left).toBe("./var/result\n");
  expect(existsSync(join(kept.upper, "srv"))).toBe(false);
});

test("killed with SIGKILL, nothing of it goes on, and its tree can be removed", async () => {
  const scratch = join(root, "killed");
  mkdirSync(scratch);
  const script =
    "mkdir /var/closed && chown 1000:1000 /var/closed && chmod 0 /var/closed && sleep 86394";
  const child = spawn(process.execPath, [killed, system, scratch, script], {
    stdio: "inherit",
  });
  const ended = new Promise((done) => child.on("close", done));
  const patience = { timeout: 30_000, interval: 100 };
  const closed = join(scratch, "upper/var/closed");
  await expect
    .poll(
      () => (statSync(closed, { throwIfNoEntry: false })?.mode ?? 1) & 0o777,
      patience,
    )
    .toBe(0);
  expect(statSync(closed).uid).not.toBe(process.getuid?.());
  child.kill("SIGKILL");
  await ended;
  await expect.poll(() => commandLines("86394"), patience).toEqual([]);
  await expect.poll(() => commandLines(scratch), patience).toEqual([]);
  expect(() => rmSync(scratch, { recursive: true })).toThrow(/EACCES|EPERM/);
  await removeTree(scratch);
  expect(existsSync(scratch)).toBe(false);
});

test("root opens none", () => {
  const scratch = join(root, "refused");
  mkdirSync(scratch);
  chmodSync(scratch, 0o755);
  const { stderr } = spawnSync(
    "unshare",
    [
      ...["--user", "--map-root-user", process.execPath],
      ...[killed, system, scratch, "true"],
    ],
    { encoding: "utf8" },
  );
  expect(stderr).toContain("sessions are not opened as root");
});

const killed = resolve(import.meta.dirname, "session-killed.js");

/** Command lines of this machine's processes that have that word in them. */
function commandLines(word: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^[0-9]+$/.test(name))
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/cmdline`, "utf8")];
      } catch {
        return []; // it ended meanwhile
      }
    })
    .filter((line) => line.includes(word));
}
