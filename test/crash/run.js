#!/usr/bin/env node
// Kills the program at random instants and at every named point, and checks that nothing is lost.
//   node test/crash/run.js [--seed N] [--kills N] [--variants A,B] [--jobs N]
//   node test/crash/run.js --seed N --round N      that round once more
//   node test/crash/run.js --plant NAME            with a bug in the program, which has to be found
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

import { plant, plantNames, variantFor } from "./plants.js";
import { PointTally } from "./points.js";
import { randomSource } from "./random.js";
import { runRound } from "./round.js";
import { usualVariants, variants } from "./variants.js";
import { configuration } from "./workload.js";

const usage = `npm run crash -- [options]
  --kills N       kill that many times (default: 500)
  --seed N        the workload and the plan of kills (default: another each time)
  --variants A,B  what else goes wrong, in turn: ${Object.keys(variants).join(", ")} (default: ${usualVariants.join(",")})
  --round N       only that round of a seed
  --kills-of-round N  (default: 50)
  --jobs N        rounds at a time (default: 2)
  --plant NAME    plant a bug and demand that it is found: ${plantNames.join(", ")}
  --json          the summary as one JSON document`;

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "500" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    variants: { type: "string" },
    round: { type: "string" },
    "kills-of-round": { type: "string", default: "50" },
    jobs: { type: "string", default: "2" },
    plant: { type: "string" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});
if (values.help) {
  console.log(usage);
  process.exit();
}

const seed = Number(values.seed);
const wanted = Number(values.kills);
const names = (
  values.variants ??
  (values.plant ? variantFor(values.plant) : usualVariants.join(","))
).split(",");
for (const name of names)
  if (!(name in variants)) throw new RangeError(`${name} is no variant`);

// What a variant needs is entered once, by this process as a whole, keeping the seed.
const missing = names.flatMap((name) => {
  const why = variants[name].missing?.();
  return why === undefined ? [] : [{ name, why }];
});
const usable = names.filter((name) =>
  missing.every((one) => one.name !== name),
);
const inside = usable.flatMap((name) => variants[name].inside ?? []);
if (inside.length > 0 && process.env.CRASH_INSIDE === undefined) {
  const [file, ...args] = inside;
  const given = [...process.execArgv, ...process.argv.slice(1)];
  const { status } = spawnSync(
    file,
    [...args, process.execPath, ...given, "--seed", String(seed)],
    { stdio: "inherit", env: { ...process.env, CRASH_INSIDE: "1" } },
  );
  process.exit(status ?? 1);
}
for (const { name, why } of missing)
  console.error(`crash: SKIPPED the variant ${name}: ${why}`);
if (usable.length === 0) {
  console.error("crash: nothing is left to do");
  process.exit(1);
}

const started = performance.now();
const seconds = () => Math.round((performance.now() - started) / 1000);
const points = new PointTally();
const counted = [
  "kills",
  "commands",
  "tickets",
  "landed",
  "failed",
  "takeovers",
  "checks",
];
const total = {
  seed,
  rounds: 0,
  ...Object.fromEntries(counted.map((key) => [key, 0])),
  variants: Object.fromEntries(names.map((name) => [name, 0])),
  skipped: missing.map(({ name }) => name),
  violations: [],
};
const planted = values.plant === undefined ? undefined : plant(values.plant);
const program = join(
  planted ?? resolve(import.meta.dirname, "../.."),
  "bin/ubuntu-ci",
);
console.error(
  `crash: seed ${seed}, ${wanted} kills, ${usable.join(", ")}${planted ? `, planted: ${values.plant}` : ""}`,
);

let more = 10;
let next = Number(values.round ?? 1);
await Promise.all(Array.from({ length: Number(values.jobs) }, job));
if (planted !== undefined) rmSync(planted, { recursive: true });
tell();

async function job() {
  while (total.violations.length === 0 && isMoreWanted()) {
    const number = next++;
    if (values.round !== undefined && number > Number(values.round)) return;
    await round(number);
  }
}

/** Not only so many kills: with very many of them each point has its turn, if need be in more rounds. */
function isMoreWanted() {
  if (total.kills < wanted) return true;
  more -= 1;
  return wanted >= 500 && points.missed.length > 0 && more >= 0;
}

async function round(number) {
  const random = randomSource(seed * 100_003 + number);
  const name = names[(number - 1) % names.length];
  if (!usable.includes(name)) return;
  const variant = variants[name].make(random.fork());
  const ended = await runRound({
    random,
    kills: Math.min(
      Number(values["kills-of-round"]),
      Math.max(15, wanted - total.kills),
    ),
    config: configuration(random, variant.config),
    program,
    points,
    variant,
  });
  total.rounds += 1;
  total.variants[name] += ended.kills;
  for (const key of counted) total[key] += ended[key];
  console.error(
    `round ${number}, ${name}: ${ended.kills} kills, ${ended.commands} commands, ${ended.tickets} tickets (${ended.landed} landed), ${ended.checks} checks, ${ended.violations.length} violations; ${total.kills} kills in ${seconds()} s`,
  );
  if (ended.violations.length === 0) return;
  for (const violation of ended.violations) {
    total.violations.push({ round: number, root: ended.root, violation });
    console.error(`  VIOLATION in ${ended.root}: ${violation}`);
  }
  if (planted !== undefined) {
    rmSync(ended.root, { recursive: true });
    return;
  }
  for (const line of ended.plan.slice(-60)) console.error(`    ${line}`);
  console.error(
    `  again: npm run crash -- --seed ${seed} --variants ${names.join(",")} --round ${number}`,
  );
}

function tell() {
  const { missed } = points;
  const summary = {
    ...total,
    points: points.counts,
    missed,
    seconds: seconds(),
  };
  const found = total.violations.length > 0;
  if (values.json) console.log(JSON.stringify(summary, null, 2));
  else
    console.log(
      `crash: ${total.kills} kills (${Object.entries(total.variants)
        .map(([name, kills]) => `${kills} ${name}`)
        .join(
          ", ",
        )}), ${total.rounds} rounds, ${summary.seconds} s, seed ${seed}: ${total.commands} commands, ` +
        `${total.tickets} tickets (${total.landed} landed, ${total.failed} failed), ${total.takeovers} takeovers, ` +
        `${total.checks} invariants checked, ${total.violations.length} violations` +
        `; points never killed at: ${missed.join(", ") || "none"}`,
    );
  if (planted !== undefined) {
    console.log(
      found
        ? `crash: the planted bug ${values.plant} was found`
        : `crash: the planted bug ${values.plant} was NOT FOUND`,
    );
    process.exitCode = found ? 0 : 1;
  } else if (found || (wanted >= 500 && missed.length > 0))
    process.exitCode = 1;
}
