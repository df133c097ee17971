// What ten years cost: every command on a state of 100,000 finished tickets, 2,000 source packages and
// 1,000 revisions of the archive, against one of 100 tickets, in one run. The archive is aptly's; what
// builds and tests is fake, so that it is the state and the archive that are measured.
//   npm run bench:scale -- [--rounds N] [--tickets N] [--sources N] [--revisions N] [--only WORD]
// Counted is CPU time, of the command and of all that it starts. The runs are interleaved, so that what
// else the machine does meanwhile weighs on both alike, and the median of each counts. Commands that read
// or print all that there is may take longer, but not much more memory. Exits 1 above a limit.
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

import { fill } from "./scale-state.js";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "7" },
    tickets: { type: "string", default: "100000" },
    sources: { type: "string", default: "2000" },
    revisions: { type: "string", default: "1000" },
    only: { type: "string", default: "" },
  },
});
const rounds = Number(values.rounds);
const sizes = {
  small: { tickets: 100, sources: 20, revisions: 10 },
  large: {
    tickets: Number(values.tickets),
    sources: Number(values.sources),
    revisions: Number(values.revisions),
  },
};
const limits = { usual: 1.2, publish: 2, landings: 1.5, memoryMiB: 300 };
/** Commands that may take longer than others. */
const limitOf = (name) =>
  name === "publish"
    ? limits.publish
    : /^(landings|remind)/.test(name)
      ? limits.landings
      : limits.usual;
/** They write the list of all packages, since something has happened. */
const writesList = ["shepherd-report", "shepherd-report, PPAs freed"];
const bin = resolve(import.meta.dirname, "../../bin/ubuntu-ci");
const root = mkdtempSync(join(tmpdir(), "uci-scale-"));
const config = join(root, "config.json");
const env = { ...process.env, HOME: root, NO_COLOR: "1" };
const policyFile = join(root, "policy.yaml");
const stateOf = (size) => join(root, size);

/** Runs a command, and prints its exit code, its CPU seconds and its largest process in KiB last on stderr. */
const measured = `
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(code, used.ru_utime + used.ru_stime, used.ru_maxrss, file=sys.stderr)
`;

function run(size, args, codes = [0]) {
  const line = [
    bin,
    ...args,
    ...["--state-dir", stateOf(size), "--config", config],
  ];
  const { stdout, stderr } = spawnSync("python3", ["-c", measured, ...line], {
    encoding: "utf8",
    env,
    maxBuffer: 4e9,
  });
  const [code, seconds, kib] = stderr.trim().split("\n").at(-1).split(" ");
  if (!codes.includes(Number(code)))
    throw new Error(
      `${args.join(" ")} exited with ${code}: ${stderr}${stdout.slice(-2000)}`,
    );
  return { cpu: Number(seconds), kib: Number(kib), out: stdout.trim() };
}

/** A source upload of one C program; returns its .changes. */
function upload(version) {
  const folder = mkdtempSync(join(root, "upload-"));
  const tree = join(folder, "tree");
  mkdirSync(join(tree, "debian/source"), { recursive: true });
  const put = (name, text, mode = 0o644) =>
    writeFileSync(join(tree, "debian", name), text, { mode });
  put("source/format", "3.0 (native)\n");
  put(
    "changelog",
    `source-1 (${version}) bookworm; urgency=medium\n\n  * Test.\n\n -- Dev <dev@example.com>  Thu, 01 Jan 2026 00:00:00 +0000\n`,
  );
  put(
    "control",
    "Source: source-1\nSection: misc\nPriority: optional\nMaintainer: Dev <dev@example.com>\nBuild-Depends: debhelper-compat (= 13)\nStandards-Version: 4.6.2\n\nPackage: source-1\nArchitecture: any\nDescription: a test\n A test.\n",
  );
  put("rules", "#!/usr/bin/make -f\n%:\n\tdh $@\n", 0o755);
  execFileSync("dpkg-source", ["--build", "tree"], {
    cwd: folder,
    stdio: "pipe",
  });
  const changes = join(folder, `source-1_${version}_source.changes`);
  writeFileSync(
    changes,
    execFileSync("dpkg-genchanges", ["--build=source", "-sa"], {
      cwd: tree,
      stdio: ["ignore", "pipe", "ignore"],
    }),
  );
  return changes;
}

/**
 * What a round does, in this order: a ticket's way through, and what people and cron ask meanwhile. The
 * third is which exit codes there may be.
 */
const ticketsWay = (id, changes, next, landing) => [
  ["status N", ["status", id]],
  ["explain N", ["explain", id]],
  ["update_ticket", ["update_ticket", id, "--priority", "1"]],
  ["update_ticket --hold", ["update_ticket", id, "--hold"]],
  ["update_ticket --queue", ["update_ticket", id, "--queue"]],
  [
    "override",
    ["override", id, "--ignore-step", "run-tests", "--reason", "a test"],
  ],
  ["override --undo", ["override", id, "--undo"]],
  ["assign-ppa", ["assign-ppa"]],
  ["build-source", ["build-source"]],
  ["build-image", ["build-image"]],
  ["run-tests", ["run-tests"]],
  ["publish", ["publish"]],
  ["status N, landed", ["status", id]],
  ["explain N, landed", ["explain", id]],
  ["log N", ["log", id]],
  [
    "get_artifact",
    ["get_artifact", id, "source-1.autopkgtest.log", "-o", join(root, next)],
  ],
  ["shepherd-report", ["shepherd-report"]],
  ["release-ppa", ["release-ppa"]],
  ["clean-ppas", ["clean-ppas"]],
  ["land, nothing to do", ["land"]],
  ["publish, nothing to do", ["publish"]],
  ["shepherd-report, PPAs freed", ["shepherd-report"]],
  ["shepherd-report, no news", ["shepherd-report"]],
  ["create_ticket, refused", ["create_ticket", "-t", "x", "-s", changes], [2]],
  ["status --open", ["status", "--open"]],
  ["status --limit", ["status", "--limit", "20"]],
  ["log -n", ["log", "-n", "20"]],
  ["ppa list", ["ppa", "list"]],
  ["locks", ["locks"]],
  ["check", ["check"], [0, 1, 2]],
  ["expire", ["expire"]],
  ["maintenance on", ["maintenance", "on", "--reason", "a test"]],
  ["maintenance off", ["maintenance", "off"]],
  ["apt-source", ["apt-source"]],
  ["landings", ["landings"]],
  ["qa", ["qa", landing, "ok"]],
  ["explain --landing", ["explain", "--landing", landing]],
  ["remind --dry-run", ["remind", "--dry-run"]],
  ["policy show", ["policy", "show"]],
  ["uploaders list", ["uploaders", "list"]],
  ["config", ["config"]],
];

/** What reads or prints all that there is, once each. */
const wholes = [
  ["landings --all", ["landings", "--all"]],
  ["policy diff", ["policy", "diff", policyFile]],
  ["status", ["status"]],
  ["status --json", ["status", "--json"]],
  ["archive list", ["archive", "list"]],
  ["archive list --json", ["archive", "list", "--json"]],
  ["fsck", ["fsck"], [0, 1]],
  ["backup", ["backup", "FILE"]],
  ["log", ["log", "-n", "1000000"]],
  ["maintenance on", ["maintenance", "on", "--reason", "a test"]],
  ["restore", ["restore", "FILE"]],
  ["shepherd-report --all", ["shepherd-report", "--all"]],
];

const median = (numbers) =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

try {
  const fake = { builder: "fake", imager: "fake", tester: "fake" };
  writeFileSync(
    config,
    JSON.stringify({
      series: ["bookworm"],
      admission: { signatures: "optional" },
      mail: { from: "CI <ci@example.com>", sendmail: "/bin/true" },
      remind: { list: "qa@example.com" },
      ...fake,
    }),
  );
  chmodSync(config, 0o600);
  writeFileSync(
    policyFile,
    "rules:\n- requirement: built\n- requirement: tests\n  tests: [other]\n",
  );
  for (const [size, what] of Object.entries(sizes)) {
    const begun = performance.now();
    run(size, ["init"]);
    run(size, ["shepherd-report"]);
    await fill(stateOf(size), what, (...args) => run(size, args));
    const seconds = ((performance.now() - begun) / 1000).toFixed(0);
    console.log(
      `${size}: ${what.tickets} tickets, ${what.sources} source packages, ${what.revisions} revisions, made in ${seconds} s`,
    );
  }
  const times = new Map();
  const time = (name, size, args, codes) => {
    const { cpu, out } = run(size, args, codes);
    if (!times.has(name)) times.set(name, { small: [], large: [] });
    times.get(name)[size].push(cpu);
    return out;
  };
  for (let round = 0; round < rounds; round += 1) {
    const changes = upload(`1.${round}`);
    for (const size of Object.keys(sizes)) {
      const create = ["create_ticket", "-t", "x", "-s", changes];
      const id = time("create_ticket", size, create);
      for (const [name, args, codes] of ticketsWay(
        id,
        changes,
        `${size}-${round}`,
        String(sizes[size].tickets + 2 + round),
      ))
        if (name.includes(values.only)) time(name, size, args, codes);
    }
  }
  console.log(`${"CPU time".padEnd(28)}   small    large  ratio`);
  for (const [name, { small, large }] of times) {
    const [before, after] = [median(small), median(large)];
    const ratio = after / before;
    const limit = limitOf(name);
    const over = ratio > limit && !writesList.includes(name);
    if (over) process.exitCode = 1;
    console.log(
      `${name.padEnd(28)} ${(before * 1000).toFixed(0).padStart(4)} ms  ${(after * 1000).toFixed(0).padStart(4)} ms  ${ratio.toFixed(2)}  ${writesList.includes(name) ? "(with the list of packages)" : `(at most ${limit})`}${over ? "  TOO MUCH" : ""}`,
    );
  }
  console.log(`\n${"reads or prints all".padEnd(28)}       CPU       memory`);
  for (const [name, args, codes] of wholes) {
    const [small, large] = Object.keys(sizes).map((size) =>
      run(
        size,
        args.map((one) =>
          one === "FILE" ? join(root, `${size}.tar.zst`) : one,
        ),
        codes,
      ),
    );
    const mib = ({ kib }) => (kib / 1024).toFixed(0);
    const over = mib(large) > limits.memoryMiB;
    if (over) process.exitCode = 1;
    console.log(
      `${name.padEnd(28)} ${large.cpu.toFixed(2).padStart(6)} s   ${mib(small)} -> ${mib(large)} MiB  (at most ${limits.memoryMiB})${over ? "  TOO MUCH" : ""}`,
    );
  }
} finally {
  rmSync(root, { recursive: true, force: true });
}
