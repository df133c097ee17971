// What a pass that finds nothing to do costs, and `status`, against bare Node, in one run: cron
// starts them every minute.
//   npm run bench:idle -- [ROUNDS]
// Exits 1 when one costs more than the limit. The runs are interleaved, so that what else the machine
// does meanwhile weighs on all alike, and the median of each counts.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const limit = 1.7;
const rounds = Number(process.argv[2] ?? 15);
const bin = resolve(import.meta.dirname, "../../bin/ubuntu-ci");
const root = mkdtempSync(join(tmpdir(), "uci-idle-"));
const config = join(root, "config.json");
const env = { ...process.env, HOME: root, UBUNTU_CI_CRON: "1" };

function run(file, args) {
  const start = performance.now();
  const { status, stderr } = spawnSync(file, args, { encoding: "utf8", env });
  if (status !== 0)
    throw new Error(`${args.join(" ")} exited with ${status}: ${stderr}`);
  return performance.now() - start;
}

const ci = (...args) =>
  run(bin, [...args, "--state-dir", join(root, "state"), "--config", config]);

const median = (numbers) =>
  numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

try {
  const fake = Object.fromEntries(
    ["builder", "imager", "tester", "archiveKeeper"].map((key) => [
      key,
      "fake",
    ]),
  );
  writeFileSync(config, JSON.stringify({ series: ["bookworm"], ...fake }));
  ci("init");
  ci("shepherd-report");
  const passes = [
    ["land"],
    ["assign-ppa"],
    ["build-source"],
    ["build-image"],
    ["run-tests"],
    ["publish"],
    ["clean-ppas"],
    ["shepherd-report"],
    ["status"],
  ];
  const bare = [];
  const times = passes.map(() => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, pass] of passes.entries()) {
      bare.push(run(process.execPath, ["-e", "0"]));
      times[index].push(ci(...pass));
    }
  }
  const floor = median(bare);
  console.log(`node -e 0        ${floor.toFixed(0).padStart(5)} ms`);
  for (const [index, pass] of passes.entries()) {
    const own = median(times[index]);
    const ratio = own / floor;
    console.log(
      `${pass.join(" ").padEnd(16)} ${own.toFixed(0).padStart(5)} ms  ${ratio.toFixed(2)}  (at most ${limit})`,
    );
    if (ratio > limit) process.exitCode = 1;
  }
} finally {
  rmSync(root, { recursive: true, force: true });
}
