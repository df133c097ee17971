import {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
} from "node:fs";
import { once } from "node:events";
import { join } from "node:path";

import Database from "better-sqlite3";
import { afterEach, expect, test } from "vitest";

import { fakeBackends, Installation, program } from "./support/program.ts";

const fakes = {
  ...fakeBackends,
  // The disk that the tests run on is not what is tested.
  check: {
    diskFree: { warnMiB: 0, criticalMiB: 0 },
    inodesFree: { warnPercent: 0, criticalPercent: 0 },
  },
};

let ci: Installation;

function install(config: object = {}): void {
  ci = new Installation({ ...fakes, ...config });
  ci.ok("init");
  ci.addUploader();
}
afterEach(() => ci.remove());

const create = (name: string) =>
  ci.ok(
    "create_ticket",
    "-t",
    name,
    "-s",
    ci.upload(name, "1.0", program(name)),
  );

interface Checked {
  health: string;
  line: string;
  checks: {
    name: string;
    health: string;
    value: number | null;
    message: string | null;
  }[];
}
const checked = () => JSON.parse(ci.run("check", "--json").stdout) as Checked;
const valueOf = (name: string) =>
  checked().checks.find((check) => check.name === name)?.value;

test("one line and exit code 0 when all is well, in maintenance too", () => {
  install();
  const { code, stdout, stderr } = ci.run("check");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(
    /^UBUNTU-CI OK - tickets: 0 running, 0 waiting, 0 held; [0-9.]+ GB free \| '[^\n]*\n$/,
  );
  // Plugin output: 'label'=value[UOM];[warn];[crit];[min];[max]
  for (const figure of (stdout.trim().split(" | ")[1] ?? "").split(" "))
    expect(figure).toMatch(
      /^'[a-z_]+'=[0-9]+(?:s|B|%|);[0-9]*:?;[0-9]*:?;0(?:;[0-9]+)?$/,
    );
  expect(stdout).toContain("'ppas_free'=4;1:;;0;4");
  ci.ok("maintenance", "on", "--reason", "new | disk");
  expect(ci.run("check").code).toBe(0);
  expect(valueOf("maintenance_age")).toBeGreaterThanOrEqual(0);
});

test("maintenance that somebody may have forgotten is a warning, then critical, and says whose it is and what ends it", () => {
  install({ maintenance: { warnAfterMinutes: 60 } });
  const toggle = join(ci.state, "maintenance.txt");
  const metrics = join(ci.root, "ubuntu-ci.prom");
  const minutesOld = (minutes: number) => {
    const then = Date.now() / 1000 - minutes * 60;
    utimesSync(toggle, then, then);
    ci.ok("check", "--prometheus", metrics);
    return { ...ci.run("check"), metrics: readFileSync(metrics, "utf8") };
  };
  ci.ok("maintenance", "on", "--reason", "new | disk");
  const [, by] = /^by (\S+):/.exec(readFileSync(toggle, "utf8")) ?? [];

  const young = minutesOld(58);
  expect(young).toMatchObject({ code: 0, stderr: "" });
  expect(young.stdout).toMatch(
    /^UBUNTU-CI OK - maintenance is on since \S+ \S+Z \(58 min\) by .*; tickets: /,
  );
  expect(young.metrics).toContain(
    '\nubuntu_ci_health{check="maintenance_age"} 0\n',
  );

  const old = minutesOld(61);
  expect(old.code).toBe(1);
  const words = (bar: string) =>
    `maintenance is on since \\S+(?: \\S+)?Z \\(1 h 1 min\\) by ${String(by)}: new ${bar} disk; did somebody forget it\\? \`${ci.line("maintenance off")}\` ends it`;
  expect(old.stdout).toMatch(
    new RegExp(`^UBUNTU-CI WARNING - ${words("/")} \\| 'maintenance_age'=`),
  );
  const { health, line, checks } = checked();
  expect({ health, line: line.slice(0, 20) }).toEqual({
    health: "warning",
    line: old.stdout.slice(0, 20),
  });
  expect(checks.filter((one) => one.health !== "ok")).toEqual([
    {
      name: "maintenance_age",
      health: "warning",
      value: expect.any(Number) as number,
      unit: "s",
      warn: 3600,
      critical: expect.any(Number) as number,
      message: expect.stringMatching(new RegExp(`^${words("\\|")}$`)) as string,
    },
  ]);
  expect(old.metrics).toContain(
    '\nubuntu_ci_health{check="maintenance_age"} 1\n',
  );
  const [, seconds] =
    /\nubuntu_ci_maintenance_age_seconds (\d+)\n/.exec(old.metrics) ?? [];
  expect(Number(seconds)).toBeGreaterThanOrEqual(61 * 60);

  expect(minutesOld(50 * 60)).toMatchObject({
    code: 2,
    stdout: expect.stringMatching(/^UBUNTU-CI CRITICAL - /) as string,
  });
  ci.ok("maintenance", "off");
  expect(ci.run("check").code).toBe(0);
});

test("a step that is not heard of, and a ticket that our infrastructure failed", async () => {
  install({
    fake: { builder: "quiet=slow@600000,broken=tmpfail" },
    retry: { limit: 0 },
  });
  create("broken");
  ci.run("land");
  expect(ci.run("check")).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(
      /WARNING - infrastructure failed ticket 1 in the last 3 days \| .*'infrastructure_failures'=1;0;4;0/,
    ) as string,
  });
  create("quiet");
  expect(valueOf("waiting_age")).toBeLessThan(60);
  const land = ci.start("land", "-v", "3");
  let said = "";
  for await (const text of land.stderr) {
    said += String(text);
    if (said.includes("being slow")) break;
  }
  const db = new Database(join(ci.state, "state.sqlite"));
  db.prepare("UPDATE run SET heartbeat_at = ? WHERE finished_at IS NULL").run(
    new Date(Date.now() - 3_600_000).toISOString(),
  );
  db.close();
  const { code, stdout } = ci.run("check");
  land.kill("SIGTERM");
  await once(land, "exit");
  expect(code).toBe(2);
  expect(stdout).toMatch(
    /CRITICAL - nothing was heard of ticket 2 at Package Building for 1 h 0 min \(process \d+ on \S+\); infrastructure failed ticket 1/,
  );
});

test("thresholds are settings; what was never done is due since the beginning", () => {
  install({
    check: {
      freePpas: { warnBelow: 5 },
      report: { warnMinutes: 1 },
      diskFree: { warnMiB: 100000000, criticalMiB: 0 },
      stateSize: { criticalMiB: 1 },
    },
  });
  const { code, stdout } = ci.run("check");
  expect(code).toBe(1);
  expect(stdout).toMatch(
    /^UBUNTU-CI WARNING - 4 of 4 PPAs are free; [0-9.]+ GB are free on the disk of /,
  );
  expect(stdout).toContain("'report_age'=");
  expect(stdout).toMatch(/'state_size'=[0-9]+B;4294967296;1048576;0/);
  ci.ok("shepherd-report");
  expect(valueOf("report_age")).toBeLessThan(60);
});

test("a metrics file is whole, readable by all, and says when nothing could be found out", () => {
  install();
  const folder = join(ci.root, "textfile");
  mkdirSync(folder);
  const file = join(folder, "ubuntu-ci.prom");
  expect(ci.run("check", "--prometheus", file)).toEqual({
    code: 0,
    stdout: "",
    stderr: "",
  });
  expect(readdirSync(folder)).toEqual(["ubuntu-ci.prom"]);
  expect(statSync(file).mode & 0o777).toBe(0o644);
  const text = readFileSync(file, "utf8");
  expect(text).toContain("\nubuntu_ci_up 1\n");
  expect(text).toContain('\nubuntu_ci_health{check="ppas_free"} 0\n');
  for (const line of text.trimEnd().split("\n"))
    expect(line).toMatch(
      /^(?:# (?:HELP|TYPE) ubuntu_ci_[a-z_]+ \S.*|ubuntu_ci_[a-z_]+(?:\{[a-z]+="[^"]*"(?:,[a-z]+="[^"]*")*\})? -?[0-9.e+]+)$/,
    );
  expect(ci.ok("check", "--prometheus")).toContain("ubuntu_ci_up 1");
  rmSync(join(ci.state, "state.sqlite"));
  const { code, stdout } = ci.run("check");
  expect({ code, stdout }).toEqual({
    code: 2,
    stdout: expect.stringMatching(
      /^UBUNTU-CI CRITICAL - .*state\.sqlite is missing beside/,
    ) as string,
  });
  expect(ci.run("check", "--prometheus", file).code).toBe(0);
  expect(readFileSync(file, "utf8")).toContain("ubuntu_ci_up 0\n");
});
