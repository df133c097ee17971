// What the report costs with 100,000 tickets, logs apart: all of it, all of it again, after one change, and
// when nothing changed; beside what copying the same files costs, which is what the file system takes.
//   npm run bench:report -- [--tickets N] [--rounds N]
// Counted is time by the clock, and the largest process. Exits 1 above a limit.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

import { fill } from "./scale-state.js";

const { values } = parseArgs({
  options: {
    tickets: { type: "string", default: "100000" },
    rounds: { type: "string", default: "5" },
  },
});
const tickets = Number(values.tickets);
const limits = {
  all: { seconds: 60, mib: 500 },
  "one change": { seconds: 1, mib: 500 },
  "no change": { seconds: 0.3, mib: 500 },
};
const bin = resolve(import.meta.dirname, "../../bin/ubuntu-ci");
const root = mkdtempSync(join(tmpdir(), "uci-report-"));
const config = join(root, "config.json");
const state = join(root, "state");
const output = join(root, "site");
const env = { ...process.env, HOME: root, NO_COLOR: "1" };

/** Runs a command; its seconds by the clock and its largest process in MiB. */
const measured = `
import resource, subprocess, sys, time
begun = time.monotonic()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(code, time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
`;
function time(...line) {
  const { stderr } = spawnSync("python3", ["-c", measured, ...line], {
    encoding: "utf8",
    env,
  });
  const [code, seconds, kib] = stderr.trim().split("\n").at(-1).split(" ");
  if (code !== "0") throw new Error(`${line.join(" ")}: ${stderr}`);
  return { seconds: Number(seconds), mib: Number(kib) / 1024 };
}
const where = ["--state-dir", state, "--config", config];
const ci = (...args) =>
  execFileSync(bin, [...args, ...where], { encoding: "utf8", env });
const report = (...args) =>
  time(bin, "shepherd-report", "--output", output, ...args, ...where);
const median = (found) =>
  found.toSorted((one, other) => one.seconds - other.seconds)[
    Math.floor(found.length / 2)
  ];

try {
  writeFileSync(
    config,
    JSON.stringify({
      series: ["bookworm"],
      admission: { signatures: "optional" },
      ...{ builder: "fake", imager: "fake", tester: "fake" },
    }),
    { mode: 0o600 },
  );
  ci("init");
  ci("shepherd-report");
  const sources = Math.ceil(tickets / 50);
  await fill(state, { tickets, sources, revisions: 1000 }, ci);
  const found = { all: report(), again: report("--all") };
  found["the files, copied"] = time("cp", "-r", output, join(root, "copy"));
  const changed = [];
  const same = [];
  for (let round = 0; round < Number(values.rounds); round += 1) {
    // Every eleventh ticket has failed.
    const failed = String(11 * (round + 1));
    ci("override", failed, "--ignore-step", "run-tests", "--reason", "a test");
    changed.push(report());
    same.push(report());
  }
  found["one change"] = median(changed);
  found["no change"] = median(same);
  let isOver = false;
  for (const [name, { seconds, mib }] of Object.entries(found)) {
    const limit = limits[name];
    const over = limit && (seconds > limit.seconds || mib > limit.mib);
    isOver ||= over === true;
    console.log(
      `${name.padEnd(20)} ${seconds.toFixed(2).padStart(8)} s ${mib.toFixed(0).padStart(5)} MiB${limit ? `  limit ${limit.seconds} s, ${limit.mib} MiB${over ? "  ABOVE" : ""}` : ""}`,
    );
  }
  console.log(
    `all of it takes ${(found.all.seconds / found["the files, copied"].seconds).toFixed(2)} times what copying its files does`,
  );
  process.exitCode = isOver ? 1 : 0;
} finally {
  rmSync(root, { recursive: true, force: true });
}
