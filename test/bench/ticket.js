// A warm `hello` ticket from create_ticket to published, against the same tools run by hand one
// after the other with their usual options, in one run on one machine.
//   npm run bench -- STATE_DIR SOURCE.changes
// as the user who owns STATE_DIR, which `init` has filled and which knows the upload's key. The
// upload's version must be new there; a ticket of the same package should have landed before (warm).
import { execFileSync, spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

const [state, changes] = process.argv.slice(2);
if (state === undefined || changes === undefined) {
  console.error("usage: npm run bench -- STATE_DIR SOURCE.changes");
  process.exit(2);
}
const bin = resolve(import.meta.dirname, "../../bin/ubuntu-ci");
const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;

function timed(argv, options = {}) {
  const start = performance.now();
  const [file, ...args] = argv;
  const { status, stdout, stderr } = spawnSync(file, args, {
    encoding: "utf8",
    maxBuffer: 1e9,
    ...options,
  });
  if (status !== 0)
    throw new Error(
      `${argv.join(" ")} exited with ${status}:\n${stderr}${stdout}`.slice(
        -4000,
      ),
    );
  return { ms: performance.now() - start, stdout, stderr };
}

const ci = (...args) => timed([bin, "--state-dir", state, ...args]);

// Ours
const created = ci("create_ticket", "-t", "bench", "-s", changes);
const id = created.stdout.trim();
const landed = ci("land", "--ticket", id);
const { ticket } = JSON.parse(ci("status", id, "--json").stdout);
const stages = Object.assign(
  {},
  ...ticket.runs.map(({ step, stages }) =>
    Object.fromEntries(
      Object.entries(stages).map(([name, ms]) => [`${step.name}: ${name}`, ms]),
    ),
  ),
);
const ourCompile = stages["Package Building: compile"];
const testsMs = ticket.tests.reduce((sum, { seconds: s }) => sum + s * 1000, 0);
const ours = created.ms + landed.ms;

// By hand
const work = mkdtempSync(join(tmpdir(), "bench-"));
try {
  const [{ source, version }] = ticket.subtickets;
  const dsc = join(
    dirname(changes),
    `${source}_${version.replace(/^\d+:/, "")}.dsc`,
  );
  const layers = join(state, "layers");
  const base = readdirSync(layers)
    .filter((name) => name.startsWith(`base-${ticket.series}-`))
    .map((name) => ({
      name,
      ...JSON.parse(readFileSync(join(layers, name, "layer.json"), "utf8")),
    }))
    .sort((a, b) => (a.created_at < b.created_at ? 1 : -1))[0];
  const hand = {};
  const run = (name, argv, options) => {
    const result = timed(argv, { cwd: work, ...options });
    hand[name] = (hand[name] ?? 0) + result.ms;
    return result;
  };
  const built = run("sbuild", [
    "sbuild",
    "--chroot-mode=unshare",
    `--chroot=${join(layers, base.name, "base.tar.zst")}`,
    "-d",
    ticket.series,
    "--no-run-lintian",
    "--nolog",
    dsc,
  ]);
  const handCompile =
    Number(
      /^Build-Time: (\d+)/m.exec(built.stdout + built.stderr)?.[1] ?? NaN,
    ) * 1000;
  const debs = readdirSync(work)
    .filter((name) => name.endsWith(".deb"))
    .map((name) => join(work, name));
  const gnupg = join(work, "gnupg");
  mkdirSync(gnupg, { mode: 0o700 });
  const env = { ...process.env, GNUPGHOME: gnupg };
  execFileSync(
    "gpg",
    [
      "--batch",
      "--quiet",
      "--passphrase",
      "",
      "--quick-generate-key",
      "Bench <bench@example.com>",
      "default",
      "default",
      "never",
    ],
    { env, stdio: "ignore" },
  );
  const key = execFileSync("gpg", ["--armor", "--export"], {
    env,
    encoding: "utf8",
  });
  const aptly = (name, ...args) =>
    run(name, ["aptly", `-config=${join(work, "aptly.conf")}`, ...args], {
      env,
    });
  writeFileSync(
    join(work, "aptly.conf"),
    JSON.stringify({
      rootDir: join(work, "aptly"),
      gpgProvider: "gpg",
      FileSystemPublishEndpoints: {
        ppa: { rootDir: join(work, "ppa"), linkMethod: "hardlink" },
        archive: { rootDir: join(work, "archive"), linkMethod: "hardlink" },
      },
    }),
  );
  for (const name of ["ppa", "archive"]) {
    if (name === "archive") break;
    aptly(
      "aptly, PPA",
      "repo",
      "create",
      `-distribution=${ticket.series}`,
      "-component=main",
      name,
    );
    aptly("aptly, PPA", "repo", "add", name, dsc, ...debs);
    aptly(
      "aptly, PPA",
      "publish",
      "repo",
      "-skip-contents",
      "-batch",
      name,
      `filesystem:${name}:`,
    );
  }
  const inline = key
    .trimEnd()
    .split("\n")
    .map((line) => (line === "" ? " ." : ` ${line}`))
    .join("\n");
  writeFileSync(join(work, "distribution.sources"), base.sources);
  writeFileSync(
    join(work, "ppa.sources"),
    `Types: deb\nURIs: file:${join(work, "ppa")}\nSuites: ${ticket.series}\nComponents: main\nSigned-By:\n${inline}\n`,
  );
  execFileSync("chmod", ["-R", "a+rX", work]);
  const aptopts = base.acquire
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => `--aptopt=${line}`);
  run(
    "mmdebstrap",
    [
      "mmdebstrap",
      "--quiet",
      "--mode=unshare",
      "--variant=buildd",
      "--hook-dir=/usr/share/mmdebstrap/hooks/file-mirror-automount",
      ...aptopts,
      "--skip=cleanup/apt/lists",
      `--include=${ticket.subtickets[0].binaries.join(",")}`,
      ticket.series,
      "image.tar",
      "distribution.sources",
      "ppa.sources",
    ],
    { env: { ...process.env, TMPDIR: work } },
  );
  run(
    "autopkgtest",
    [
      "autopkgtest",
      "-B",
      "--apt-default-release",
      ticket.series,
      dsc,
      "--",
      "unshare",
      "-t",
      join(work, "image.tar"),
      "-r",
      ticket.series,
    ],
    { env: { ...process.env, TMPDIR: work } },
  );
  aptly(
    "aptly, archive",
    "repo",
    "create",
    `-distribution=${ticket.series}`,
    "-component=main",
    "archive",
  );
  aptly("aptly, archive", "repo", "add", "archive", dsc, ...debs);
  aptly(
    "aptly, archive",
    "publish",
    "repo",
    "-skip-contents",
    "-batch",
    "archive",
    "filesystem:archive:",
  );
  spawnSync("gpgconf", ["--kill", "gpg-agent"], { env });

  const byHand = Object.values(hand).reduce((sum, ms) => sum + ms, 0);
  const row = (name, ms) =>
    console.log(`  ${name.padEnd(32)} ${seconds(ms).padStart(9)}`);
  console.log(`by hand`);
  for (const [name, ms] of Object.entries(hand)) row(name, ms);
  row("in all", byHand);
  row("of it dpkg-buildpackage", handCompile);
  console.log(`ubuntu-ci`);
  row("create_ticket", created.ms);
  for (const [name, ms] of Object.entries(stages)) row(name, ms);
  for (const { step, started_at, finished_at } of ticket.runs)
    row(
      `${step.name}, whole`,
      Date.parse(finished_at) - Date.parse(started_at),
    );
  row("in all", ours);
  const handOverhead = byHand - handCompile - testsMs;
  const ourOverhead = ours - ourCompile - testsMs;
  console.log(
    `ratio in all                       ${(ours / byHand).toFixed(2)}  (at most 0.38)`,
  );
  console.log(
    `ratio of the overhead              ${(ourOverhead / handOverhead).toFixed(2)}  (at most 0.18): ${seconds(ourOverhead)} of ${seconds(handOverhead)}`,
  );
} finally {
  spawnSync("unshare", [
    "--user",
    "--map-auto",
    "--map-root-user",
    "rm",
    "-rf",
    work,
  ]);
  rmSync(work, { recursive: true, force: true });
}
