import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { asOwnerOfAll } from "./accounts.js";
import { writePackage } from "./package.js";
import { run, runOk } from "./process.js";
import { withKeyring } from "./scripts.js";
import { Services } from "./services.js";

/**
 * The throw-away installation that is attacked, with a home of its owner that no package has any
 * business in.
 */
export class Place {
  /** Services of the host. @type {Services} */ services;
  /** A process of the owner's that nothing inside may end. */ sentinel;
  /** Key of a shared memory of the host's. */ memory =
    randomBytes(4).readUInt32BE() >>> 2;
  #reason = [];
  /** @type {string} */ root;
  /** @type {string} */ state;
  /** @type {string} */ home;
  /** @type {string} */ series;
  /** @type {string} */ config;

  constructor(program) {
    this.program = program;
    this.root = mkdtempSync(join(folderOfPlaces(), "attack-"));
    chmodSync(this.root, 0o755);
    this.state = join(this.root, "state");
    this.home = this.folder("home", 0o700);
    this.uploads = this.folder("uploads");
    this.gnupg = this.folder("gnupg", 0o700);
    this.scratch = this.folder("scratch", 0o700);
    this.config = join(this.root, "config.json");
    this.series = /^VERSION_CODENAME="?([a-z0-9.-]+)"?$/m.exec(
      readFileSync("/etc/os-release", "utf8"),
    )?.[1];
    // What fails by our fault ends at once here, so that it is seen.
    writeFileSync(
      this.config,
      JSON.stringify({
        series: [this.series],
        concurrency: 64,
        ppa: { pool: 120 },
        retry: { limit: 0 },
        build: { timeoutMinutes: 3 },
        image: { timeoutMinutes: 3 },
        test: { timeoutMinutes: 3 },
      }),
      { mode: 0o600 },
    );
  }

  /** Makes the state with its base, and a key that uploads are accepted from. */
  async init(baseFrom) {
    if (baseFrom !== undefined) {
      const layers = join(this.state, "layers");
      mkdirSync(layers, { recursive: true });
      for (const name of readdirSync(join(baseFrom, "layers")))
        if (name.startsWith("base-"))
          await runOk(
            asOwnerOfAll([
              ...["cp", "--archive", "--reflink=auto"],
              ...[join(baseFrom, "layers", name), layers],
            ]),
          );
    }
    this.services = await Services.start();
    this.sentinel = spawn("sleep", ["86400"], { stdio: "ignore" });
    await this.#shareMemory();
    // A busy machine takes minutes to make a base.
    await runOk(this.argv("init"), { env: this.env, timeoutMs: 1_200_000 });
    const { stdout } = await this.ci(["archive", "revert", "--help"]);
    this.#reason = stdout.includes("--reason") ? ["--reason", "a test"] : [];
    const key = await this.makeKey(this.gnupg);
    await this.ciOk("uploaders", "add", key);
  }

  folder(name, mode = 0o755) {
    const path = join(this.root, name);
    mkdirSync(path, { recursive: true, mode });
    return path;
  }

  /** What an attack must not touch, and a text of its own that must stay unknown. */
  canary(id) {
    const folder = join(this.home, id);
    mkdirSync(folder, { mode: 0o700 });
    const secret = `canary-${randomBytes(12).toString("hex")}`;
    for (const name of ["precious.txt", "hosts", "resolv.conf", "policy-rc.d"])
      writeFileSync(join(folder, name), `${secret}\n`, { mode: 0o600 });
    return { folder, secret, before: snapshot(folder) };
  }

  get env() {
    return { ...process.env, HOME: this.home, NO_COLOR: "1" };
  }

  /** The argv of a command of the program on this installation. */
  argv(...args) {
    return [
      join(this.program, "bin/ubuntu-ci"),
      ...["--state-dir", this.state, "--config", this.config],
      ...args,
    ];
  }

  /** The same with other settings. */
  argvWith(settings, args) {
    if (settings === undefined) return this.argv(...args);
    const config = join(
      this.root,
      `config-${randomBytes(4).toString("hex")}.json`,
    );
    const usual = JSON.parse(readFileSync(this.config, "utf8"));
    writeFileSync(config, JSON.stringify({ ...usual, ...settings }), {
      mode: 0o600,
    });
    return this.argv("--config", config, ...args);
  }

  revertArgs(revision) {
    return ["archive", "revert", String(revision), ...this.#reason];
  }

  /** Runs a command of the program. */
  ci(args, options = {}) {
    return run(this.argv(...args), {
      ...options,
      env: { ...this.env, ...options.env },
    });
  }

  /**
   * Runs a `land`; wrapped, as a careless operator does: from a terminal, with umask 000, with
   * descriptors of the home, of a file and of a connection, and with keys in the session's keyring.
   */
  land(argv, { timeoutMs, env = {}, wrapped = false, keys = [] } = {}) {
    const options = { timeoutMs, env: { ...this.env, ...env } };
    if (!wrapped) return run(argv, options);
    const { port } = this.services;
    const file = join(
      this.root,
      `operator-${randomBytes(4).toString("hex")}.sh`,
    );
    const ended = ["--", ...keys.flat(), "--"]; // of perl's options, and of the keys
    const command = ["perl", "-e", withKeyring, ...ended, ...argv];
    writeFileSync(
      file,
      `umask 000
exec 3<${this.home} 10<>${this.#open} 200>>${this.#open} 201<>/dev/tcp/127.0.0.1/${port}
exec ${command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ")}
`,
    );
    return run(
      [
        "script",
        "--quiet",
        "--return",
        "--append",
        "--command",
        `bash ${file}`,
        this.#terminal,
      ],
      options,
    );
  }

  get #open() {
    const folder = join(this.home, "open");
    const file = join(folder, "precious.txt");
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (!existsSync(file))
      writeFileSync(file, "of the operator\n", { mode: 0o600 });
    return file;
  }

  get #terminal() {
    return join(this.root, "terminal");
  }

  /** All that has appeared on the operator's terminal. */
  terminal() {
    return readFileSync(this.#terminal, "latin1");
  }

  /** How an attack has made use of the operator's descriptors, or undefined. */
  sayingOnDescriptors(id, logs) {
    const found = new RegExp(`^FOUND-${id} (.*)$`, "m").exec(logs)?.[1];
    if (found !== undefined) return `it found ${found}`;
    if (readFileSync(this.#open, "utf8").includes(id))
      return "it wrote to a file that the operator had open";
    return this.services.reachedBy(id).length > 0
      ? "it spoke on a connection that the operator had open"
      : undefined;
  }

  async ciOk(...args) {
    return (await runOk(this.argv(...args), { env: this.env })).trim();
  }

  /** Makes a signing key in a GnuPG folder and returns the file of its public half. */
  async makeKey(
    gnupg,
    {
      name = "Dev <dev@example.com>",
      kind = "rsa3072",
      expires = "never",
      options = [],
    } = {},
  ) {
    mkdirSync(gnupg, { recursive: true, mode: 0o700 });
    await this.gpg(gnupg, [
      ...options,
      ...[
        "--passphrase",
        "",
        "--quick-generate-key",
        name,
        kind,
        "sign",
        expires,
      ],
    ]);
    const file = join(gnupg, "public.asc");
    writeFileSync(file, await this.gpg(gnupg, ["--armor", "--export"]));
    return file;
  }

  gpg(gnupg, args) {
    return runOk(["gpg", "--homedir", gnupg, "--batch", "--quiet", ...args]);
  }

  async sign(changes, { gnupg = this.gnupg, options = [] } = {}) {
    const signed = `${changes}.signed`;
    await this.gpg(gnupg, [
      ...options,
      ...["--yes", "--output", signed, "--clearsign", changes],
    ]);
    writeFileSync(changes, readFileSync(signed));
    rmSync(signed);
  }

  /** A signed upload of a package; returns its .changes. */
  async upload(one) {
    const changes = await writePackage(this.uploads, this.series, one);
    await this.sign(changes);
    return changes;
  }

  /** Makes a ticket of packages; returns its number. */
  async ticket(packages, ...args) {
    const sources = [];
    for (const one of packages) sources.push("-s", await this.upload(one));
    return this.ciOk(
      "create_ticket",
      "-t",
      packages[0].source,
      ...sources,
      ...args,
    );
  }

  /** Takes a ticket out of the way of others: those in flight are counted. */
  async putAway(ticket) {
    await this.ci(["cancel", ticket]);
  }

  async status(ticket) {
    return JSON.parse(await this.ciOk("status", ticket, "--json")).ticket;
  }

  /** All that a ticket has left for people to read: its logs, results, and what is said of it. */
  async told(ticket) {
    const status = await this.status(ticket);
    const logs = [];
    const results = [];
    for (const { name, type } of status.artifacts) {
      const isOutput = name.endsWith(".autopkgtest.tar.zst");
      if (type !== "LOGS" && !isOutput && !name.endsWith(".manifest.json"))
        continue;
      const file = join(
        this.scratch,
        `fetched-${randomBytes(6).toString("hex")}`,
      );
      // A long log is kept compressed, and unpacked for its plain name.
      const plain = name.replace(/\.log\.gz$/, ".log");
      const got = await this.ci(["get_artifact", ticket, plain, "-o", file]);
      if (got.code !== 0) continue;
      if (type === "LOGS") logs.push(readFileSync(file, "latin1"));
      else if (isOutput)
        for (const argv of [
          ["zstd", "-dcq", file],
          ["tar", "--zstd", "-tvf", file],
        ])
          results.push((await run(argv)).stdout);
      else results.push(readFileSync(file, "utf8"));
      rmSync(file, { force: true });
    }
    return {
      status,
      logs: logs.join("\n"),
      results: results.join("\n"),
      everything: [...logs, ...results, JSON.stringify(status)].join("\n"),
    };
  }

  /** Paths below a folder, also those that belong to subordinate ids. */
  async find(...args) {
    const { stdout } = await run(asOwnerOfAll(["find", ...args, "-print0"]));
    return stdout.split("\0").filter((path) => path !== "");
  }

  /** Shared memory of the host's: by a name in /dev/shm, and by its key where the kernel has that. */
  async #shareMemory() {
    writeFileSync(this.#shared, "of the host\n");
    await run([
      "perl",
      "-e",
      'my $m = shmget($ARGV[0], 64, 01600) // exit; shmwrite($m, "of the host", 0, 64)',
      String(this.memory),
    ]);
  }

  get #shared() {
    return `/dev/shm/ubuntu-ci-attack-${this.memory}`;
  }

  async close() {
    await run([
      "perl",
      "-e",
      "shmctl(shmget($ARGV[0], 0, 0) // exit, 0, 0)",
      String(this.memory),
    ]);
    rmSync(this.#shared, { force: true });
    this.services?.stop();
    this.sentinel?.kill("SIGKILL");
    await run(["gpgconf", "--homedir", this.gnupg, "--kill", "all"]);
  }

  async remove() {
    await run(asOwnerOfAll(["chmod", "-R", "u+rwX", this.root]));
    await run(asOwnerOfAll(["rm", "-rf", this.root]));
  }
}

/** A folder that every user can pass: a stranger who can't reach the state shows nothing. */
function folderOfPlaces() {
  const folder = tmpdir();
  for (let at = folder; at !== "/"; at = join(at, ".."))
    if ((lstatSync(at).mode & 0o001) === 0) return "/var/tmp";
  return folder;
}

/** What is in a folder: each path with its kind, mode and contents. */
function snapshot(folder) {
  const found = {};
  const visit = (path, name) => {
    const status = lstatSync(path);
    const kind = status.isSymbolicLink()
      ? `link to ${readlinkSync(path)}`
      : status.isFile()
        ? createHash("sha256").update(readFileSync(path)).digest("hex")
        : "folder or other";
    found[name] = `${(status.mode & 0o7777).toString(8)} ${kind}`;
    if (status.isDirectory())
      for (const child of readdirSync(path).sort())
        visit(join(path, child), `${name}/${child}`);
  };
  visit(folder, ".");
  return found;
}

/** What has changed of a canary, in words; undefined when it is untouched. */
export function touched({ folder, before }) {
  const after = existsSync(folder) ? snapshot(folder) : {};
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const changed = names
    .filter((name) => before[name] !== after[name])
    .map((name) =>
      after[name] === undefined
        ? `${name} is gone`
        : before[name] === undefined
          ? `${name} appeared`
          : `${name} was changed`,
    );
  return changed.length === 0
    ? undefined
    : `in the owner's home ${changed.join(", ")}`;
}
