import { spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import Database from "better-sqlite3";

import { checkInvariants } from "./invariants.js";
import { commandsFor, restorePoints, stopPoints } from "./points.js";
import {
  childrenOf,
  isAlive,
  isFree,
  locksOf,
  processesOf,
  untilStopped,
  watch,
} from "./processes.js";
import { eventOf, Promises, writesOf } from "./promises.js";
import { keysOfUploaders } from "./uploader-keys.js";
import { writeUpload } from "./uploads.js";
import { ticketStream } from "./workload.js";

const lanesOfRound = 3;

/** Findings of `fsck` that a killed process may leave, since nobody else looks for them. */
const leftByKilled = new Set(["scratch", "store", "archive"]);

/** Commands whose exit 0 is worth as much as their end by a kill. */
const promising = new Set([
  ...["update", "cancel", "retry", "override", "qa", "promote"],
]);

/** What a command may exit with: done, the ticket failed, refused, not now. */
const ordinary = new Set([0, 1, 2, 75]);

/**
 * One installation: random work by several processes side by side, of which some are killed, until
 * so many kills are done; then passes until all is quiet; then the invariants.
 */
export async function runRound({
  random,
  kills: wanted,
  config,
  program,
  points,
  variant,
}) {
  const root = mkdtempSync(join(tmpdir(), "crash-"));
  const round = new Round(root, random, config, program, points, variant);
  await round.begin();
  const lanes = Array.from({ length: lanesOfRound }, () => random.fork());
  await Promise.all(
    lanes.map(async (lane) => {
      while (round.kills < wanted && round.violations.length === 0)
        await round.act(lane);
    }),
  );
  await round.comeToRest();
  const checks = round.check();
  if (random.chance(0.3)) await round.restoreElsewhere();
  if (round.violations.length === 0) round.end();
  if (round.violations.length === 0) rmSync(root, { recursive: true });
  return {
    root,
    kills: round.kills,
    commands: round.commands,
    ...round.seen,
    checks: checks.count,
    violations: round.violations,
    plan: round.plan,
  };
}

class Round {
  kills = 0;
  commands = 0;
  violations = [];
  plan = [];
  seen = { tickets: 0, landed: 0, failed: 0, takeovers: 0 };
  #promises = new Promises();
  #known = { printed: new Map(), promises: this.#promises, promoted: [] };
  #alive = new Set();
  #backups = [];
  #durations = new Map();
  #creating = false;
  #resting = false;
  #waiting = [];
  #points;
  #next;
  #state;
  #global;

  constructor(root, random, config, program, points, variant) {
    this.root = root;
    this.random = random;
    this.program = program;
    this.config = config;
    this.variant = variant;
    this.#points = points;
    this.#next = ticketStream(random.fork());
    this.#state = join(root, "state");
    const file = join(root, "config.json");
    // What it is given it keeps: each mail a file.
    this.#known.mails = join(root, "mails");
    mkdirSync(this.#known.mails);
    const sendmail = join(root, "sendmail");
    writeFileSync(
      sendmail,
      `#!/bin/sh\nexec cat >"$(mktemp '${this.#known.mails}/XXXXXXXXXX')"\n`,
      { mode: 0o755 },
    );
    writeFileSync(
      file,
      JSON.stringify({
        ...config,
        mail: { sendmail, from: "ci@example.com" },
        remind: { list: "list@example.com" },
      }),
    );
    this.#global = ["--state-dir", this.#state, "--config", file];
  }

  /** `init` may be killed too; the next one has to do all of it. */
  async begin() {
    this.variant.begin?.(this.#state);
    this.#promises.initially("maintenance", false);
    for (const { fingerprint } of keysOfUploaders())
      this.#promises.initially(`uploader ${fingerprint}`, false);
    const random = this.random.fork();
    for (let tries = random.whole(0, 2); tries > 0; tries -= 1)
      await this.run(["init"], this.#killPlan("init", random));
    // One machine cannot see that another's killed `init` is gone, and leaves the lock to it: there it goes on.
    const codes = [];
    for (const host of this.variant.hosts ?? [undefined]) {
      const { code } = await this.run(["init"], {}, host);
      if (code === 0) return;
      codes.push(code);
    }
    this.#violation(`init does not go on: ${codes.join(", ")}`);
  }

  /** One command, most often one that is to be killed. */
  async act(random) {
    this.variant.squeeze?.();
    if (random.chance(0.06)) return this.#suspend(random);
    const point = random.chance(0.5) ? this.#points.next(random) : undefined;
    const command =
      point === undefined
        ? random.weighted({
            create: 4,
            land: 6,
            step: 4,
            clean: 1,
            update: 3,
            release: 1,
            report: 2,
            resign: 0.6,
            maintenance: 0.3,
            uploaders: 0.3,
            expire: 0.3,
            mend: 0.3,
            backup: 0.3,
            cancel: 1,
            retry: 1,
            override: 0.8,
            qa: 1,
            promote: 0.5,
            remind: 0.5,
          })
        : random.pick(commandsFor(point.name));
    const kill =
      point === undefined
        ? random.chance(promising.has(command) ? 0.4 : 0.9)
          ? this.#killPlan(command, random)
          : {}
        : { point: `${point.name}:${point.times}` };
    // Without open tickets no step would come by any point.
    if (
      !this.#creating &&
      this.#query("SELECT 1 FROM ticket WHERE step < 999").length < 2
    )
      await this.#create(random, command === "create" ? kill : {});
    switch (command) {
      case "create":
        return this.#create(random, kill);
      case "land":
        return this.run(["land"], kill);
      case "step":
        return this.run(
          [
            random.pick([
              "assign-ppa",
              "build-source",
              "build-image",
              "run-tests",
              "publish",
            ]),
          ],
          kill,
        );
      case "clean":
        return this.run(["clean-ppas"], kill);
      case "release":
        return this.run(["release-ppa"], kill);
      case "resign":
        return this.run(["archive", "resign"], kill);
      case "qa":
        return this.#qa(random, kill);
      case "promote":
        return this.#promote(kill);
      case "remind":
        return this.run(["remind"], kill);
      case "report":
        return this.run(["shepherd-report"], kill);
      case "maintenance":
        await this.run(["maintenance", "on", "--reason", "a test"], kill);
        this.#look(
          "maintenance",
          existsSync(join(this.#state, "maintenance.txt")),
        );
        await this.run(["maintenance", "off"], random.chance(0.5) ? kill : {});
        this.#look(
          "maintenance",
          existsSync(join(this.#state, "maintenance.txt")),
        );
        return;
      case "uploaders":
        return this.#uploaders(random, kill);
      case "expire":
        return this.run(["expire"], kill);
      case "mend":
        return this.run(["fsck", "--mend"], kill);
      case "backup":
        return this.#backup(kill);
      case "update":
        return this.#update(random, kill);
      case "cancel":
        return this.#onTicket(random, kill, "step < 999", ["cancel"]);
      case "retry":
        return this.#onTicket(random, kill, "step = 999", [
          "retry",
          ...random.pick([[], [], ["--from", "build-source"]]),
        ]);
      case "override":
        return this.#onTicket(random, kill, "step <> 1000", [
          "override",
          ...random.pick([
            ["--ignore-step", "run-tests", "--reason", "a test"],
            ["--ignore-step", "build-image", "--reason", "a test"],
            ["--undo"],
          ]),
        ]);
      default:
        throw new RangeError(command);
    }
  }

  /** A random instant in the time the command takes, and what is killed then. */
  #killPlan(command, random) {
    return {
      after: random.next() * 1.1,
      command,
      target: random.weighted({ step: 4, both: 3, tool: 1 }),
    };
  }

  /** The oldest ticket that is not there yet; one at a time, so that what is there can be known. */
  async #create(random, kill) {
    if (this.#creating) return this.run(["land"], kill);
    this.#creating = true;
    try {
      const wanted = this.#waiting.shift() ?? this.#next();
      const folder = join(this.root, "uploads", wanted.title.replace(" ", "-"));
      const uploads = wanted.sources.map(({ source, version }) =>
        writeUpload(folder, source, version),
      );
      const ended = await this.run(
        [
          ...[
            "create_ticket",
            "-t",
            wanted.title,
            "--priority",
            String(wanted.priority),
            "-d",
            wanted.title,
            "-o",
            "first@example.com",
          ],
          ...uploads.flatMap(({ changes }) => ["-s", changes]),
          ...(wanted.held ? ["--wait"] : []),
        ],
        kill,
      );
      const id = this.#query(
        "SELECT id FROM ticket WHERE title = ?",
        wanted.title,
      )[0]?.id;
      const files = Object.assign({}, ...uploads.map((upload) => upload.files));
      for (const [field, value] of [
        ["description", wanted.title],
        ["priority", String(wanted.priority)],
        ["owner", "first@example.com"],
      ])
        if (id !== undefined)
          this.#promises.initially(`${field} of ticket ${id}`, value);
      if (ended.stdout.trim() !== "")
        this.#known.printed.set(Number(ended.stdout), {
          title: wanted.title,
          files,
        });
      else if (id !== undefined)
        this.#known.printed.set(id, { title: wanted.title, files });
      else if (ended.code === 0)
        this.#violation(
          "create_ticket exited with 0 and printed nothing",
          ended,
        );
      // Refused for good when a higher version landed meanwhile.
      else if (ended.code !== 2) this.#waiting.push(wanted);
      rmSync(folder, { recursive: true });
      return ended;
    } finally {
      this.#creating = false;
    }
  }

  async #uploaders(random, kill) {
    const { fingerprint, file } = random.pick(keysOfUploaders());
    const adds = random.chance(0.6);
    await this.run(
      adds ? ["uploaders", "add", file] : ["uploaders", "remove", fingerprint],
      kill,
      undefined,
      [[`uploader ${fingerprint}`, adds]],
    );
    this.#look(
      `uploader ${fingerprint}`,
      existsSync(join(this.#state, "uploaders", `${fingerprint}.gpg`)),
    );
  }

  /** Somebody's verdict on one of the landings. */
  async #qa(random, kill) {
    const landings = this.#query(
      "SELECT revision FROM landing WHERE ticket IS NOT NULL",
    );
    if (landings.length === 0) return this.run(["land"], kill);
    const { revision } = random.pick(landings);
    const verdict = random.weighted({ ok: 6, untestable: 1, bad: 1 });
    const key = `verdict of landing ${revision}`;
    if (!this.#promises.keys.includes(key))
      this.#promises.initially(key, "needs-testing");
    return this.run(["qa", String(revision), verdict], kill);
  }

  /** What a promotion that exits with 0 says is the last thing that is known of the stable suite then. */
  async #promote(kill) {
    const ended = await this.run(["archive", "promote"], kill);
    const [, revision] = /shows revision (\d+)/.exec(ended.stdout) ?? [];
    if (revision !== undefined) this.#known.promoted.push(Number(revision));
    else if (ended.code === 0)
      this.#violation("promote exited with 0 and showed nothing", ended);
    return ended;
  }

  /** A backup that exits with 0 can be restored. */
  async #backup(kill) {
    const file = join(this.root, `${this.commands}.tar.zst`);
    const { code } = await this.run(["backup", file], kill);
    if (code === 0) this.#backups.push(file);
  }

  /**
   * The last backup that was made while all this went on is restored elsewhere, killed again and again, then
   * once more over that; each time the state is whole.
   */
  async restoreElsewhere() {
    if (this.violations.length > 0 || this.variant.disk !== undefined) return;
    if (this.#backups.length === 0) await this.#backup({});
    const file = this.#backups.at(-1);
    const elsewhere = { state: join(this.root, "restored") };
    const ok = async (...args) => {
      const ended = await this.run(args, elsewhere);
      if (ended.code !== 0) this.#violation("has to exit with 0", ended);
    };
    for (const over of [false, true]) {
      if (over) await ok("maintenance", "on");
      let done = false;
      for (const point of restorePoints) {
        if (done || this.random.chance(0.5)) continue;
        const { code } = await this.run(["restore", file], {
          ...elsewhere,
          point: `${point}:${this.random.whole(1, 3)}`,
        });
        done = code === 0;
      }
      if (!done) await ok("restore", file);
      if (over) await ok("maintenance", "off");
      await ok("fsck", "--mend", "--digests");
      if (this.violations.length > 0) return;
    }
  }

  /** What commands have written there is what is there. */
  #look(key, value) {
    const possible = this.#promises.possible(key);
    if (possible.length > 0 && !possible.includes(value))
      this.#violation(
        `${key} is ${value}, and what was said is ${possible.join(" or ")}`,
      );
  }

  /**
   * Suspends a command at a point, and looks whether it keeps others out: it has its lock and its lease,
   * and another copy leaves both to it. Then it is killed there.
   */
  async #suspend(random) {
    const { point, command, lease, lock, other } = random.pick(stopPoints);
    if (!this.#creating) await this.#create(random, {});
    const slots = command[0] === "land" ? this.config.concurrency : 1;
    await this.run(command, {
      point: `${point}:1:SIGSTOP`,
      stopped: async ({ pid }) => {
        const held = locksOf(this.#state, pid);
        if (held.length === 0)
          this.#violation(`${command} works at ${point} without its lock`);
        if (lock !== undefined && isFree(this.#state, lock))
          this.#violation(`${command} is at ${point}, and ${lock} is free`);
        const lease_of = () =>
          this.#query(
            "SELECT id, ticket, step, host, pid FROM run WHERE pid = ? AND finished_at IS NULL ORDER BY +id",
            pid,
          );
        const leases = lease_of();
        if (lease && leases.length === 0)
          this.#violation(`${command} works at ${point} without a lease`);
        if (!other) return;
        const { code } = await this.run(command);
        if (slots === 1 && code !== 75 && code !== null)
          this.#violation(
            `${command} exited with ${code} while another was at ${point}`,
          );
        if (JSON.stringify(lease_of()) !== JSON.stringify(leases))
          this.#violation(
            `the lease of ${command}, which is at ${point}, was taken away`,
          );
        const still = locksOf(this.#state, pid);
        if (JSON.stringify(still) !== JSON.stringify(held))
          this.#violation(
            `the lock of ${command}, which is at ${point}, was taken away`,
          );
      },
    });
  }

  /**
   * A machine that was suspended for long comes back: another has taken over what it worked at, and what it
   * ends now must not count.
   */
  async #comeBack() {
    for (let times = 0; times < 2; times += 1) {
      if (this.violations.length > 0) return;
      await this.#create(this.random, {});
      await this.run(
        ["land"],
        {
          point: "run.tidied:1:SIGSTOP",
          comesBack: true,
          stopped: () => this.run(["land"], {}, "crash-a"),
        },
        "crash-b",
      );
    }
  }

  async #update(random, kill) {
    const tickets = this.#query("SELECT id, step FROM ticket");
    if (tickets.length === 0) return this.#create(random, kill);
    // Only these may still change their place in the queue.
    const queued = tickets.filter(({ step }) => step === 100);
    const { id, step } = random.pick(
      queued.length > 0 && random.chance(0.8) ? queued : tickets,
    );
    const some = (...words) => (random.chance(0.6) ? words : []);
    const changes = [
      ...some("-d", `described ${random.whole(1, 1000)}`),
      ...some("-o", `dev${random.whole(1, 5)}@example.com`),
      ...(step === 100 ? some("--priority", String(random.whole(0, 9))) : []),
    ];
    if (changes.length === 0 || random.chance(0.15))
      changes.push(random.pick(["--hold", "--queue"]));
    return this.run(["update_ticket", String(id), ...changes], kill);
  }

  /** A verb on one of the tickets that it makes sense for, if there is one. */
  async #onTicket(random, kill, which, [verb, ...options]) {
    const tickets = this.#query(`SELECT id FROM ticket WHERE ${which}`);
    if (tickets.length === 0) return this.run(["land"], kill);
    const id = String(random.pick(tickets).id);
    return this.run([verb, id, ...options], kill);
  }

  /** Passes without kills until nothing changes any more; then what a person's next day would do. */
  async comeToRest() {
    if (this.violations.length > 0) return;
    this.variant.relax?.();
    this.#resting = true;
    await this.run(["maintenance", "off"]);
    if (this.variant.hosts !== undefined) await this.#comeBack();
    await this.#drain();
    for (const wanted of this.#waiting.splice(0)) {
      this.#next = () => wanted;
      await this.#create(this.random, {});
    }
    await this.#drain();
    await this.run(["land"]);
    await this.#lookBeforeMending();
    for (const command of [
      ["release-ppa"],
      ["clean-ppas"],
      ["maintenance", "on"],
      ["maintenance", "off"],
      ["archive", "resign"],
      ["remind"],
      ["shepherd-report"],
    ])
      await this.run(command);
    const { code } = await this.#promote({});
    this.#known.isPromoted = code === 0;
    await this.#sweep();
    const [counts] = this.#query(
      `SELECT count(*) AS tickets, sum(step = 1000) AS landed, sum(step = 999) AS failed,
         (SELECT count(*) FROM run WHERE reason LIKE '%was gone before it finished') AS leases FROM ticket`,
    );
    this.seen.tickets = counts.tickets;
    this.seen.landed = counts.landed;
    this.seen.failed = counts.failed;
    this.seen.takeovers += counts.leases;
  }

  /** What cron's daily upkeep does: killed processes leave folders that nobody else looks for. */
  async #sweep() {
    const has = (name) => existsSync(join(this.program, "..", name));
    if (has("expire"))
      // Another machine's folders are for its own upkeep: only there can be seen whose they are.
      for (const host of this.variant.hosts ?? [undefined])
        await this.run(["expire"], {}, host);
    else {
      const scratch = join(this.#state, "scratch");
      for (const name of readdirSync(scratch)) {
        const [kind, id] = name.split(".");
        const open = this.#query(
          "SELECT 1 FROM run WHERE id = ? AND finished_at IS NULL",
          Number(id),
        );
        if (kind === "admission" || open.length === 0)
          rmSync(join(scratch, name), { recursive: true });
      }
    }
    this.seen.mended = has("fsck");
    if (has("fsck")) await this.run(["fsck", "--mend"]);
  }

  /** What `fsck` finds before anything mends it: only what killed processes may leave. */
  async #lookBeforeMending() {
    for (const host of this.variant.hosts ?? [undefined]) {
      const ended = await this.run(["fsck", "--digests", "--json"], {}, host);
      if (this.violations.length > 0) return;
      for (const finding of JSON.parse(ended.stdout).findings) {
        const { check, where, what, mendable, remedy } = finding;
        // Nobody waits for such things: to mend them is to put them away.
        const isLeft =
          mendable &&
          leftByKilled.has(check) &&
          /(?:removes it|moves it to \S+)(?:; a killed publication left it)?$/.test(
            remedy,
          );
        if (!isLeft)
          this.#violation(
            `before anything mends, fsck finds ${check}: ${where}: ${what} (${remedy})`,
          );
      }
    }
  }

  async #drain() {
    let before = "";
    for (let passes = 0; passes < 300; passes += 1) {
      const open = this.#query(
        // A look at a job that is still at work is a move, too.
        `SELECT id, step, status, tmpfails, waiting_for${this.variant.remote ? ", (SELECT look_at FROM job WHERE job.ticket = ticket.id AND unwanted = 0)" : ""}
           FROM ticket WHERE step < 999 ORDER BY id`,
      );
      for (const { id, status } of open)
        if (status === "held")
          await this.run(["update_ticket", String(id), "--queue"]);
      if (open.length === 0) return;
      const now = JSON.stringify(open);
      if (now === before && passes > 3) {
        this.#violation(`nothing moves any more: ${now}`);
        return;
      }
      before = now;
      await this.run(["land"]);
      if (this.violations.length > 0) return;
    }
    this.#violation("300 passes were not enough");
  }

  check() {
    if (this.violations.length > 0) return { count: 0 };
    const left = processesOf(this.root);
    if (left.length > 0)
      this.#violation(`processes are left: ${left.join(", ")}`);
    const checks = checkInvariants(this.#state, this.#known, {
      clock: this.variant.clock,
      disk: this.variant.disk,
      concurrency: this.config.concurrency,
      keeper: this.config.archiveKeeper,
      mended: this.seen.mended,
      remote: this.variant.remote,
    });
    for (const violation of checks.violations) this.#violation(violation);
    return checks;
  }

  /** Gives back what the variant has made for this round. */
  end() {
    this.variant.end?.(this.#state);
  }

  /** Runs the program to its end, or until it is killed as planned. */
  async run(args, kill = {}, host = undefined, writes = writesOf(args)) {
    this.commands += 1;
    const began = performance.now();
    const global =
      kill.state === undefined
        ? this.#global
        : [...this.#global, "--state-dir", kill.state];
    const promised = eventOf(args);
    const after = promised && this.#lastEvent();
    const written = writes.map(([key, value]) =>
      this.#promises.write(key, value),
    );
    const [file, ...more] = this.variant.wrap?.(
      this.program,
      this.#resting,
      host,
    ) ?? [this.program];
    const child = spawn(file, [...more, ...args, "-v", "2", ...global], {
      env: {
        ...process.env,
        // One that comes back has slept through what the others take for a long time.
        ...this.variant.env?.(this.#resting && !kill.comesBack),
        HOME: this.root,
        NO_COLOR: "1",
        CRASH_ROUND: this.root,
        ...(kill.point !== undefined && { UBUNTU_CI_CRASH_AT: kill.point }),
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#alive.add(child.pid);
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text) => {
      stderr += text;
      for (const [, pid] of text.matchAll(
        /took over the lock .*process (\d+) on /g,
      ))
        this.#stolen("lock", Number(pid), kill);
    });
    const usual = this.#durations.get(args[0]) ?? 400;
    let hit = 0;
    let hangs;
    const stopWatching = watch(child.pid, (why) => {
      hangs = why;
      child.kill("SIGKILL");
    });
    const timers = [];
    if (kill.after !== undefined)
      timers.push(
        setTimeout(
          () => (hit = killNow(child, kill.target)),
          kill.after * usual,
        ),
      );
    const closed = new Promise((done, fail) => {
      child.on("error", fail);
      child.on("close", (exitCode, ended) =>
        done({ code: exitCode, signal: ended }),
      );
    });
    if (kill.stopped !== undefined && (await untilStopped(child))) {
      await kill.stopped(child);
      child.kill(kill.comesBack ? "SIGCONT" : "SIGKILL");
    }
    const { code, signal } = await closed;
    this.#alive.delete(child.pid);
    stopWatching();
    for (const timer of timers) clearTimeout(timer);
    for (const end of written) end(signal === null ? code : null);
    if (promised !== undefined && code === 0)
      this.#promises.claim({
        ...promised,
        args,
        after,
        until: this.#lastEvent(),
      });
    for (const { pid } of this.#deadLeases()) this.#stolen("lease", pid, kill);
    const took = performance.now() - began;
    const ended = { args, code, signal, stdout, stderr, kill };
    this.plan.push(
      `${args.join(" ")} ${JSON.stringify(kill)} -> ${signal ?? code}`,
    );
    if (signal === null) this.#durations.set(args[0], usual * 0.7 + took * 0.3);
    this.seen.takeovers += stderr.split("took over the lock").length - 1;
    if (stderr.includes("the lease was lost") && !kill.comesBack)
      this.#violation("lost its lease while it was alive", ended);
    if (hangs !== undefined) this.#violation(hangs, ended);
    else if (signal === "SIGKILL") {
      this.kills += 1;
      if (kill.point !== undefined) this.#points.hit(kill.point.split(":")[0]);
      else if (hit === 0) this.#violation("was killed, not by us", ended);
    } else {
      if (hit > 0) this.kills += 1;
      if (
        signal !== null ||
        !ordinary.has(code) ||
        /a bug of ubuntu-ci|^\s+at /m.test(stderr)
      )
        this.#violation(`ended with ${signal ?? code}`, ended);
    }
    return ended;
  }

  /** A live process's lock or lease is nobody else's. */
  #stolen(what, pid, { comesBack = false }) {
    if (this.#alive.has(pid) && isAlive(pid) && !comesBack && !this.#resting)
      this.#violation(`a ${what} was taken from process ${pid}, which lives`);
  }

  #lastEvent() {
    return this.#query("SELECT max(id) AS id FROM event")[0]?.id ?? 0;
  }

  /** The processes whose leases were given up in the last runs. */
  #deadLeases() {
    return this.#query(
      `SELECT CAST(substr(reason, length('process ') + 1) AS INTEGER) AS pid FROM run
       WHERE id > (SELECT max(id) - 40 FROM run) AND reason LIKE 'process % was gone before it finished'`,
    );
  }

  #violation(what, ended) {
    this.violations.push(
      ended === undefined
        ? what
        : `${ended.args.join(" ")} ${JSON.stringify(ended.kill)} ${what}\n${ended.stdout}${ended.stderr}`,
    );
  }

  #query(sql, ...values) {
    const file = join(this.#state, "state.sqlite");
    if (!existsSync(file)) return [];
    for (let tries = this.variant.relax === undefined ? 1 : 5; ; tries -= 1) {
      let db;
      try {
        db = new Database(file, { readonly: true, timeout: 30_000 });
        return db.prepare(sql).all(...values);
      } catch (thrown) {
        // `init` was killed before it made them.
        if (/no such table/.test(thrown.message)) return [];
        // To look at it takes some space, too.
        if (tries <= 1) throw thrown;
        this.variant.relax();
      } finally {
        db?.close();
      }
    }
  }
}

/** Kills the step, the tools it drives, or both; tells how many were hit. */
function killNow(child, target) {
  // Its number may be another's by now.
  if (child.exitCode !== null || child.signalCode !== null) return 0;
  let hit = 0;
  const kill = (pid) => {
    try {
      process.kill(pid, "SIGKILL");
      hit += 1;
    } catch {
      // it ended just now
    }
  };
  if (target !== "step") for (const pid of childrenOf(child.pid)) kill(pid);
  if (target !== "tool") kill(child.pid);
  return hit;
}
