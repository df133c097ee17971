#!/usr/bin/env node
// Kills the program at random instants and at every named point, and checks that nothing is lost:
//   node test/crash/run.js [--seed N] [--kills N] [--jobs N] [--round N] [--program bin/ubuntu-ci] [--json]
import { parseArgs } from "node:util";
import { resolve } from "node:path";

import { PointTally } from "./points.js";
import { randomSource } from "./random.js";
import { runRound } from "./round.js";
import { configuration } from "./workload.js";

const killsOfRound = 40;

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    kills: { type: "string", default: "500" },
    jobs: { type: "string", default: "2" },
    round: { type: "string" },
    program: {
      type: "string",
      default: resolve(import.meta.dirname, "../../bin/ubuntu-ci"),
    },
    json: { type: "boolean", default: false },
  },
});

const seed = Number(values.seed);
const wanted = Number(values.kills);
const started = performance.now();
const points = new PointTally();
const total = {
  seed,
  rounds: 0,
  kills: 0,
  commands: 0,
  tickets: 0,
  landed: 0,
  failed: 0,
  takeovers: 0,
  checks: 0,
  violations: [],
};
console.error(`crash: seed ${seed}, ${wanted} kills`);

let next = Number(values.round ?? 1);
async function job() {
  while (total.kills < wanted && total.violations.length === 0) {
    const number = next++;
    if (values.round !== undefined && number > Number(values.round)) return;
    const random = randomSource(seed * 100_003 + number);
    const config = configuration(random);
    const ended = await runRound({
      random,
      kills: Math.min(killsOfRound, Math.max(1, wanted - total.kills)),
      config,
      program: values.program,
      points,
      variant: {},
    });
    total.rounds += 1;
    for (const key of [
      "kills",
      "commands",
      "tickets",
      "landed",
      "failed",
      "takeovers",
      "checks",
    ])
      total[key] += ended[key];
    const seconds = Math.round((performance.now() - started) / 1000);
    console.error(
      `round ${number}: ${ended.kills} kills, ${ended.commands} commands, ${ended.tickets} tickets (${ended.landed} landed), ${ended.checks} checks, ${ended.violations.length} violations; ${total.kills} kills in ${seconds} s`,
    );
    for (const violation of ended.violations) {
      total.violations.push({ round: number, root: ended.root, violation });
      console.error(`  VIOLATION in ${ended.root}: ${violation}`);
    }
    if (ended.violations.length > 0)
      console.error(
        ended.plan
          .slice(-60)
          .map((line) => `    ${line}`)
          .join("\n") +
          `\n  again: node test/crash/run.js --seed ${seed} --round ${number}`,
      );
  }
}
await Promise.all(Array.from({ length: Number(values.jobs) }, job));

const summary = {
  ...total,
  points: points.counts,
  missed: points.missed,
  seconds: Math.round((performance.now() - started) / 1000),
};
if (values.json) console.log(JSON.stringify(summary, null, 2));
else
  console.log(
    `${summary.kills} kills in ${summary.rounds} rounds and ${summary.seconds} s: ${summary.commands} commands, ${summary.tickets} tickets (${summary.landed} landed, ${summary.failed} failed), ${summary.takeovers} takeovers, ${summary.checks} invariants checked, ${summary.violations.length} violations; points never killed at: ${summary.missed.join(", ") || "none"}`,
  );
if (
  summary.violations.length > 0 ||
  (wanted >= 500 && summary.missed.length > 0)
)
  process.exitCode = 1;
