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
import { networkInterfaces, tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

import { afterAll, afterEach, beforeAll, expect, test } from "vitest";

import { machineNameServers } from "../src/lib/session/network.ts";
import { openSession } from "../src/lib/session/open-session.ts";
import { receiveArchive, takeFiles } from "../src/lib/session/receive.ts";
import { removeTree } from "../src/lib/session/remove-tree.ts";
import type {
  RunOptions,
  Session,
  SessionOptions,
} from "../src/lib/session/session.ts";

// Real sessions over a tiny system of this machine's own programs: no base is needed, no mirror, and
// everything in it is known.

const programs = [
  ...["sh", "perl", "env", "chroot", "setpriv", "mount", "setsid", "umount"],
  ...["cat", "chmod", "chown", "cp", "id", "ln", "ls", "mkdir", "mknod"],
  "readlink",
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
  giveAway(system);
});

/** A folder's files, from this user to root of sessions. */
function giveAway(folder: string): void {
  const asTheirRoot = ["--user", "--map-auto", "--map-root-user"];
  const chown = ["chown", "--recursive", "--no-dereference", "1:1", folder];
  execFileSync("unshare", [...asTheirRoot, ...chown]);
}

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

/** The same, of root of sessions, as all layers are. */
function rootLayer(files: Readonly<Record<string, string>>): string {
  const folder = layer(files);
  giveAway(folder);
  return folder;
}

/** The internet, as far as this machine has it. */
const internet = { reach: "internet", hosts: [], allow: [] } as const;

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

const connect = (port: number, address = "127.0.0.1") =>
  `LC_ALL=C perl -e 'socket(my $s, 2, 1, 6) or die "socket: $!\\n"; alarm 3; connect($s, pack("S n C4 x8", 2, ${port}, ${address.replaceAll(".", ", ")})) or die "connect: $!\\n"; print "connected\\n"'`;

test("inside, the umask and the modes of what is shown are the usual ones, whatever ours is", async () => {
  const before = process.umask(0o077);
  try {
    const inside = await session();
    const look =
      "umask; echo x >/tmp/new; ls -ld / /etc/hosts /etc/resolv.conf /tmp/new";
    for (const user of ["root", "builder"] as const)
      expect(
        (await says(inside, `rm -f /tmp/new; ${look}`, { user }))
          .split("\n")
          .map((line) => line.split(" ")[0]),
      ).toEqual([
        "0022",
        "drwxr-xr-x",
        ...["-rw-r--r--", "-rw-r--r--", "-rw-r--r--"],
      ]);
  } finally {
    process.umask(before);
  }
});

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
  const inside = await session({ hostname: "elsewhere", network: internet });
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
    [],
  );
  expect(withNetwork.split("\n").at(-1)).not.toBe(there.split("\n").at(-1));
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
  const lower = rootLayer({ "etc/kept": "as it was" });
  const shown = layer({ file: "as it was" });
  const given = layer({ file: "as it was" });
  const inside = await session({
    layers: [lower, system],
    given: [{ path: "/given", contents: { copyOf: join(given, "file") } }],
    binds: [{ from: shown, to: "/run/shown" }],
  });
  await says(inside, "echo new >/etc/kept; rm /bin/sleep; echo new >/given");
  expect(readFileSync(join(lower, "etc/kept"), "utf8")).toBe("as it was");
  expect(existsSync(join(system, "usr/bin/sleep"))).toBe(true);
  expect(readFileSync(join(given, "file"), "utf8")).toBe("as it was");
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
    binds: [{ from: system, to: "/door/made" }],
  };
  await expect(session(options)).rejects.toThrow("/door is a link");
  await expect(
    session({
      binds: [{ from: system, to: "/run/../../etc" }],
    }),
  ).rejects.toThrow("has .. in it");
  expect(readdirSync(outside)).toEqual(["file"]);
});

test("names are looked up as here, whatever a layer has in place of the file", async () => {
  const link = rootLayer({ "etc/other": "" });
  execFileSync("unshare", [
    ...["--user", "--map-auto", "--map-root-user"],
    ...["ln", "-s", join(root, "elsewhere"), join(link, "etc/resolv.conf")],
  ]);
  const inside = await session({ layers: [link, system] });
  const servers = (await machineNameServers()).map(
    (address) => `nameserver ${address}\n`,
  );
  expect(await says(inside, "cat /etc/resolv.conf; echo .")).toBe(
    `${servers.join("")}.`,
  );
  await says(inside, "rm /etc/resolv.conf; echo x >>/etc/hosts");
});

test("a command's time limit and its cancellation end everything inside", async () => {
  const limited = await sh(await session(), "sleep 86395 & sleep 86395", {
    timeoutMs: 500,
  });
  expect(limited).toMatchObject({ timedOut: true });
  const cancel = new AbortController();
  const cancelled = await sh(
    await session(),
    "sleep 86395 & echo started; sleep 86395",
    {
      signal: cancel.signal,
      onLine: () => cancel.abort(),
    },
  );
  expect(cancelled).toMatchObject({ cancelled: true, timedOut: false });
  await expect.poll(() => commandLines("86395")).toEqual([]);
});

test("a command ends when it ends, whatever it left running", async () => {
  const inside = await session();
  const left = await sh(
    inside,
    "setsid sh -c 'sleep 86396; echo late' & echo done; exit 3",
  );
  expect(left).toMatchObject({ exitCode: 3, stdout: "done\n" });
  expect(commandLines("86396")).not.toEqual([]);
  await inside.close();
  expect(commandLines("86396")).toEqual([]);
});

test("a command that is stopped from inside is not waited for beyond its limit", async () => {
  // Its parent, as it sees it, is 0: that is its own group, in which nobody outside is.
  for (const stop of ["kill -STOP $PPID", "kill -STOP $$", "kill -STOP -1"]) {
    const stopped = await sh(
      await session(),
      `sleep 86397 & while :; do ${stop}; done`,
      { timeoutMs: 1000 },
    );
    expect(stopped).toMatchObject({ timedOut: true });
  }
  await expect.poll(() => commandLines("86397")).toEqual([]);
});

test("what enters is never seen inside with the owner's ids", async () => {
  const inside = await session();
  // Looks at every new process, as often as it can, while others enter.
  const watch = sh(
    inside,
    `perl -e 'my %seen; my $end = time + 3; while (time < $end) { opendir(my $d, "/proc"); for my $p (grep { !/\\D/ } readdir $d) { open(my $f, "<", "/proc/$p/status") or next; while (<$f>) { $seen{$1}++ if /^Uid:\\s+(.*)/ } } } print join("\\n", map { join " ", split /\\s+/ } keys %seen), "\\n"'`,
  );
  const entering = Array.from({ length: 12 }, () => says(inside, "id -u"));
  expect(new Set(await Promise.all(entering))).toEqual(new Set(["0"]));
  expect((await watch).stdout.trim()).toBe("0 0 0 0");
});

test("root inside is nobody on this machine", async () => {
  const inside = await session();
  await says(
    inside,
    "cp /bin/sh /var/evil; chmod 4755 /var/evil; mkdir /var/own",
  );
  const { uid, gid, mode } = statSync(join(inside.upper, "var/evil"));
  expect(mode & 0o4000).toBe(0o4000);
  expect([uid, gid]).not.toContain(process.getuid?.());
  expect([uid, gid]).not.toContain(0);
  expect(statSync(join(inside.upper, "var/own")).uid).toBe(uid);
});

test("root inside reaches neither PID 1's holder nor what is open there", async () => {
  const inside = await session();
  for (const script of [
    "kill -9 1; kill -STOP 1; kill -0 1",
    // pidfd_open and pidfd_getfd: what PID 1 has open is nothing but /dev/null.
    `perl -e '$p = syscall(434, 1, 0); for $n (0 .. 20) { $f = syscall(438, $p, $n, 0); next if $f < 0; print readlink("/proc/self/fd/$f"), "\n" unless readlink("/proc/self/fd/$f") eq "/dev/null" }'`,
  ])
    expect(await says(inside, script)).toBe("");
  const fds = await says(
    inside,
    "for fd in /proc/1/fd/*; do readlink $fd; done | sort -u",
  );
  expect(fds).toBe("/dev/null");
  // What it prints is not listened to.
  await sh(inside, "echo end >/proc/1/fd/1; echo ready 1 1 >/proc/1/fd/0");
  expect(await says(inside, "echo here")).toBe("here");
});

test("nothing of the caller's crosses: descriptors, umask, terminal, session, limits", () => {
  const scratch = join(root, "crossing");
  mkdirSync(scratch);
  const script =
    "ls -l /proc/self/fd /proc/1/fd; umask; cat /proc/self/limits; (: </dev/tty) 2>&1; echo x >/dev/stderr; echo y >/dev/stdout";
  const output = execFileSync(
    "script",
    [
      ...["--quiet", "--return", "--command"],
      `umask 0077; ulimit -n 500; exec 3</etc 9</etc/passwd; exec ${process.execPath} ${killed} ${system} ${scratch} '${script}' print`,
      "/dev/null",
    ],
    { encoding: "utf8" },
  );
  expect(output).not.toMatch(/-> \/etc/);
  expect(output).toMatch(/^0022\r?$/m);
  expect(output).toMatch(/Max open files +500 +500/);
  expect(output).toMatch(/Max core file size +0 /);
  expect(output).toMatch(/\/dev\/tty: No such device or address/);
  expect(output).toMatch(/^x\r?$/m);
  expect(output).toMatch(/^y\r?$/m);
});

test("the network leads neither to this machine nor to its neighbours", async () => {
  const server = createServer((socket) => socket.end());
  await new Promise<void>((done) => server.listen(0, "0.0.0.0", done));
  const { port } = server.address() as AddressInfo;
  const addresses = Object.values(networkInterfaces()).flatMap((all) =>
    (all ?? [])
      .filter(({ family }) => family === "IPv4")
      .map(({ address }) => address),
  );
  try {
    const inside = await session({ network: internet });
    for (const address of [...addresses, "10.0.2.2", "192.168.1.1"])
      expect([
        address,
        (await sh(inside, connect(port, address), { network: true })).exitCode,
      ]).not.toEqual([address, 0]);
    // Whoever binds a socket to the device passes the routes over.
    for (const address of [...addresses, "192.168.1.1"]) {
      const bound = connect(port, address).replace(
        "alarm 3;",
        'setsockopt($s, 1, 25, "eth0\\0") or die "bind: $!\\n"; alarm 3;',
      );
      expect([
        address,
        (await sh(inside, bound, { network: true })).stderr,
      ]).toEqual([address, expect.stringMatching(/^connect: /)]);
    }
    const abstract = createServer();
    const name = `\0session-test-${process.pid}`;
    await new Promise<void>((done) => abstract.listen(name, done));
    const reach = `perl -e 'socket(my $s, 1, 1, 0); connect($s, pack("S a*", 1, chr(0) . "session-test-${process.pid}")) and print "reached"'`;
    for (const network of [true, false])
      expect((await sh(inside, reach, { network })).stdout).toBe("");
    abstract.close();
    // Root inside may not change the way out.
    expect(
      (
        await sh(
          inside,
          `perl -e 'socket(my $s, 16, 3, 0) or die; bind($s, pack("S x2 L L", 16, 0, 0)); send($s, pack("L S S L L C C C C C C C C L S S L", 36, 25, 5, 1, 0, 2, 8, 0, 0, 254, 2, 0, 1, 0, 8, 1, 10), 0); recv($s, my $r, 4096, 0); my ($l, $t, $f, $q, $p, $e) = unpack("L S S L L l", $r); print $e'`,
          { network: true },
        )
      ).stdout,
    ).toMatch(/^-(?:1|95|22)$/);
    await inside.disconnect();
  } finally {
    server.close();
  }
});

test("closed, nothing is left; kept, only what was written", async () => {
  const gone = await session();
  const scratch = dirname(dirname(gone.upper));
  await says(
    gone,
    "mkdir /var/closed && echo x >/var/closed/file && chown -R 1000:1000 /var/closed && chmod 0 /var/closed",
  );
  // A folder of a subuid that only its owner may enter: not ours to remove without its mapping.
  expect(() => rmSync(scratch, { recursive: true })).toThrow(/EACCES|EPERM/);
  await gone.close();
  expect(existsSync(scratch)).toBe(false);

  await expect(
    session({ binds: [{ from: system, to: "/srv/not/there" }] }),
  ).rejects.toThrow("cannot bind to /srv/not/there: it is not there");
  const kept = await session({
    binds: [{ from: system, to: "/run/not/there" }],
  });
  await says(kept, "echo result >/var/result; echo x >/tmp/x; echo x >/run/x");
  await kept.close({ keep: true });
  const left = execFileSync("find", [".", "-not", "-type", "d"], {
    cwd: kept.upper,
    encoding: "utf8",
  });
  expect(left).toBe("./var/result\n");
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
  const closed = join(scratch, "layer/root/var/closed");
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

const plenty = { files: 100, bytes: 1_000_000 };

test("what a session wrote is taken as plain files, and no link on the way is followed", async () => {
  const outside = layer({ secret: "of this machine" });
  const inside = await session();
  await says(
    inside,
    `mkdir -p /build/out/folder; cd /build/out; echo x >a.deb; chmod 0 a.deb; ln -s ${outside}/secret b.deb; mknod c.deb p; echo y >.hidden; echo z >-rf; ln -s ${outside} /build/way; ln -s ${outside} /way`,
  );
  await inside.close({ keep: true });
  const place = join(root, "taken");
  await takeFiles(inside.upper, "/build/out", place, plenty);
  expect(readdirSync(place)).toEqual(["a.deb"]);
  expect(readFileSync(join(place, "a.deb"), "utf8")).toBe("x\n");
  expect(statSync(join(place, "a.deb")).mode & 0o777).toBe(0o600);
  for (const path of ["/build/way", "/way", "/way/..", "/../.."])
    await expect(
      takeFiles(inside.upper, path, join(root, `not-${(count += 1)}`), plenty),
    ).rejects.toThrow(/is a link|has \.\. in it/);
  for (const limits of [
    { ...plenty, files: 0 },
    { ...plenty, bytes: 1 },
  ])
    await expect(
      takeFiles(
        inside.upper,
        "/build/out",
        join(root, `not-${(count += 1)}`),
        limits,
      ),
    ).rejects.toThrow(/more than/);
});

test("of an archive from a session plain files and folders are received, where they cannot leave", async () => {
  const outside = layer({ file: "as it was" });
  const tree = layer({ "d/file": "plain", "other/CANARY": "got out" });
  symlinkSync(join(tree, "d/file"), join(tree, "link"));
  execFileSync("mkfifo", [join(tree, "pipe")]);
  const archive = join(root, "hostile.tar");
  const add = (...args: string[]) =>
    execFileSync("tar", ["-P", "--file", archive, ...args], { cwd: tree });
  symlinkSync(outside, join(tree, "trap"));
  add("--create", "d", "link", "pipe", "trap");
  // The link of before as a folder, names that lead up, and from the root.
  add("--append", "--transform", "s,^other,trap,", "other/CANARY");
  add("--append", "--transform", "s,^other,../../x,", "other/CANARY");
  add("--append", "--transform", `s,^other,${outside},`, "other/CANARY");
  const place = join(root, "received");
  const { leftOut, limit } = await receiveArchive(archive, place, plenty);
  expect(limit).toBe(null);
  expect(leftOut).toBe(4);
  expect(readdirSync(outside)).toEqual(["file"]);
  const found = execFileSync("find", [".", "-type", "f"], {
    cwd: place,
    encoding: "utf8",
  });
  expect(found.trim().split("\n").sort()).toEqual(
    ["./d/file", `.${outside}/CANARY`, "./trap/CANARY"].sort(),
  );
  expect(existsSync(join(root, "x"))).toBe(false);
  const small = await receiveArchive(archive, join(root, "small"), {
    files: 1,
    bytes: 10,
  });
  expect(small.limit).toMatch(/more than 1 files/);
  writeFileSync(archive, Buffer.alloc(4096, 0xff));
  const noise = await receiveArchive(archive, join(root, "noise"), plenty);
  expect(noise).toEqual({ leftOut: 0, limit: null });
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
