import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join, resolve } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { commandName } from "../src/commands/index.ts";
import { fakeBackends, Installation } from "./support/program.ts";

/** What runs ubuntu-ci by itself, installed below a folder of the test or in a crontab of its own. */
const program = resolve(import.meta.dirname, "..");
let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "cron-"));
});
afterEach(() => rmSync(root, { recursive: true }));

function installCron(args: readonly string[], env: NodeJS.ProcessEnv) {
  const { status, stdout, stderr } = spawnSync(
    join(program, "maintenance/install-cron"),
    args,
    { encoding: "utf8", env: { PATH: process.env["PATH"], ...env } },
  );
  return { status, lines: stdout.split("\n").slice(0, -1), stderr };
}

const forMachine = (...args: string[]) => {
  const ended = installCron(args, { DESTDIR: root });
  expect(ended).toMatchObject({ status: 0, stderr: "" });
  return ended.lines.map((line) => line.replaceAll(root, ""));
};

const files = (folder = root) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).replace(root, ""))
    .sort();

/** Lines of the crontab that run something: user and command. */
function jobs(text: string): { user: string; command: string }[] {
  return text.split("\n").flatMap((line) => {
    const found = /^(?:[0-9*/]+ ){5}(\S+) (.*)$/.exec(line);
    return found === null
      ? []
      : [{ user: found[1] ?? "", command: found[2] ?? "" }];
  });
}

test("cron: says what it does, does it once, and takes it away again", () => {
  const both = ["/etc/cron.d/ubuntu-ci", "/etc/logrotate.d/ubuntu-ci"];
  const dry = forMachine("--cron", "--dry-run");
  expect(dry.filter((line) => !line.startsWith("    "))).toEqual(
    both.map((file) => `would write ${file}`),
  );
  expect(dry.join("\n")).toContain("/bin/ubuntu-ci land");
  expect(files()).toEqual([]);
  const options = ["--cron", "--user", "builder", "--state-dir", "/srv/ci"];
  expect(forMachine(...options)).toEqual(both.map((file) => `write ${file}`));
  expect(files()).toEqual(both);
  const crontab = readFileSync(join(root, "etc/cron.d/ubuntu-ci"), "utf8");
  expect(crontab).toMatch(/\nPATH=\/\S+/);
  expect(crontab.match(/\nPATH=.*/)?.[0]).not.toContain(`${program}/bin`);
  expect(crontab).toContain("\nUBUNTU_CI_CRON=1\n");
  expect(crontab).toContain("\nUBUNTU_CI_STATE_DIR=/srv/ci\n");
  expect(new Set(jobs(crontab).map(({ user }) => user))).toEqual(
    new Set(["builder"]),
  );
  expect(crontab).not.toContain("/opt/");
  const logrotate = join(root, "etc/logrotate.d/ubuntu-ci");
  expect(readFileSync(logrotate, "utf8")).toMatch(
    /^\/srv\/ci\/log\/\*\.log \{\n {4}su builder builder$/m,
  );
  const { mtimeMs } = statSync(logrotate);
  expect(forMachine(...options)).toEqual([
    ...both.map((file) => `unchanged ${file}`),
    "nothing to do",
  ]);
  expect(statSync(logrotate).mtimeMs).toBe(mtimeMs);
  expect(forMachine("--remove", "--dry-run")).toEqual(
    both.map((file) => `would remove ${file}`),
  );
  expect(files()).toEqual(both);
  expect(forMachine("--remove")).toEqual(both.map((file) => `remove ${file}`));
  expect(files()).toEqual([]);
  expect(forMachine("--remove")).toEqual(["nothing to do"]);
});

test("systemd: timers instead of the crontab, one for each of its lines", () => {
  forMachine("--cron");
  const lines = forMachine("--systemd", "--state-dir", "/srv/ci");
  expect(lines[0]).toBe("remove /etc/cron.d/ubuntu-ci");
  const units = join(root, "etc/systemd/system");
  const service = readFileSync(join(units, "ubuntu-ci@.service"), "utf8");
  expect(service).toContain(`ExecStart=${program}/bin/ubuntu-ci %i`);
  expect(service).toContain("UBUNTU_CI_STATE_DIR=/srv/ci");
  const timed = readdirSync(units)
    .filter((name) => name.endsWith(".timer"))
    .map((name) => {
      const timer = readFileSync(join(units, name), "utf8");
      return /^Unit=ubuntu-ci@(.*)\.service$/m.exec(timer)?.[1] ?? "";
    });
  const crontab = readFileSync(join(program, "cron/ubuntu-ci"), "utf8");
  const named = jobs(crontab).map(
    ({ command }) => /ubuntu-ci ([a-z-]+(?: [a-z]+)?)/.exec(command)?.[1] ?? "",
  );
  expect(timed.sort()).toEqual(
    named.map((line) => line.replace(" ", "-")).sort(),
  );
  for (const line of named) {
    const [name = "", verb] = line.split(" ");
    expect(commandName(name)).toBe(name);
    if (verb === undefined) continue;
    // An instance's name is one word: the command of two has a unit of its own.
    const unit = `ubuntu-ci@${name}-${verb}.service`;
    expect(readFileSync(join(units, unit), "utf8")).toContain(
      `ExecStart=${program}/bin/ubuntu-ci ${line}\n`,
    );
  }
  expect(forMachine("--systemd", "--state-dir", "/srv/ci").at(-1)).toBe(
    "nothing to do",
  );
  forMachine("--remove");
  expect(files()).toEqual([]);
});

test.skipIf(userInfo().uid === 0)(
  "without root it is one's own crontab, of which the rest stays as it was",
  () => {
    const bin = join(root, "bin");
    const table = join(root, "table");
    mkdirSync(bin);
    writeFileSync(
      join(bin, "crontab"),
      `#!/bin/sh\nif [ "$1" = -l ]; then cat ${table}; else cat > ${table}; fi\n`,
    );
    chmodSync(join(bin, "crontab"), 0o755);
    const own = "# mine\n0 1 * * * backup-my-photos\n";
    writeFileSync(table, own);
    const forMe = (...args: string[]) =>
      installCron(["--state-dir", join(root, "state"), ...args], {
        PATH: `${bin}:${process.env["PATH"] ?? ""}`,
        HOME: root,
      });
    forMe("--dry-run");
    expect(readFileSync(table, "utf8")).toBe(own);
    expect(forMe().status).toBe(0);
    const text = readFileSync(table, "utf8");
    expect(text.startsWith(own)).toBe(true);
    expect(text).toMatch(
      new RegExp(
        `^\\*/2 \\* \\* \\* \\* export UBUNTU_CI_CRON=1 UBUNTU_CI_STATE_DIR=${root}/state PATH=\\S+; ${program}/bin/ubuntu-ci land$`,
        "m",
      ),
    );
    expect(text).not.toMatch(/^[A-Z_]+=/m);
    expect(forMe().lines).toContain(
      `unchanged crontab of ${userInfo().username}`,
    );
    expect(readFileSync(table, "utf8")).toBe(text);
    expect(forMe("--remove").status).toBe(0);
    expect(readFileSync(table, "utf8")).toBe(own);
    expect(forMe("--systemd").status).toBe(2);
    expect(forMe("--user", "somebody-else").status).toBe(2);
  },
);

test.each([[["--state-dir", "/srv/50%"]], [["--user"]], [["--all"]]])(
  "%j is refused",
  (args) => {
    expect(installCron(args, { DESTDIR: root }).status).toBe(2);
    expect(files()).toEqual([]);
  },
);

test("every line of the crontab is silent when nothing needs a person", () => {
  const ci = new Installation({
    ...fakeBackends,
  });
  try {
    ci.ok("init");
    cpSync(join(ci.root, "config.json"), join(ci.state, "config.json"));
    const crontab = readFileSync(
      join(program, "cron/ubuntu-ci"),
      "utf8",
    ).replaceAll("/opt/ubuntu-ci", program);
    for (const { command } of jobs(crontab)) {
      // It would fetch a system from the mirror.
      if (command.includes("refresh-bases")) continue;
      const { status, stdout, stderr } = spawnSync("/bin/sh", ["-c", command], {
        cwd: ci.root,
        encoding: "utf8",
        env: {
          HOME: ci.root,
          PATH: process.env["PATH"],
          UBUNTU_CI_CRON: "1",
          UBUNTU_CI_STATE_DIR: ci.state,
        },
      });
      expect({ command, status, stdout, stderr }).toEqual({
        command,
        status: 0,
        stdout: "",
        stderr: "",
      });
    }
    expect(existsSync(join(ci.state, "report/index.html"))).toBe(true);
  } finally {
    ci.remove();
  }
});
