#!/usr/bin/env node
// Real attacks, by real packages and uploads through the real commands, each on a canary that must
// stay untouched.
//   node test/attack/run.js [options]
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";

import { becomePlainUser } from "./accounts.js";
import { carryOutAll } from "./carry-out.js";
import { attacks as archive } from "./attacks/archive.js";
import { attacks as artifacts } from "./attacks/artifacts.js";
import { attacks as configuration } from "./attacks/configuration.js";
import { attacks as dependencies } from "./attacks/dependencies.js";
import { attacks as inherited } from "./attacks/inherited.js";
import { attacks as inside } from "./attacks/inside.js";
import { attacks as limits } from "./attacks/limits.js";
import { attacks as network } from "./attacks/network.js";
import { attacks as results } from "./attacks/results.js";
import { attacks as session } from "./attacks/session.js";
import { attacks as signatures } from "./attacks/signatures.js";
import { attacks as sources } from "./attacks/sources.js";
import { attacks as strangers } from "./attacks/strangers.js";
import { attacks as text } from "./attacks/text.js";

const usage = `npm run attack -- [options]
  --program DIR    the program that is attacked (default: this checkout)
  --base-from DIR  copy the base of that state, of the same program, instead of making one
  --only A,B       rows (S1, own) and attacks (s1-planted-link) by name
  --quick          a selection that touches each boundary in a few minutes
  --list           say which attacks there are
  --expect WHAT    held (default): none gets through; succeeds: those do that are known to
  --jobs N         tickets at a time (default: 2)
  --keep           leave the installation that was attacked, and say where it is
  --json FILE      what became of each; where root runs this, the system user must be able to write it`;

const all = [
  ...archive,
  ...artifacts,
  ...session,
  ...dependencies,
  ...strangers,
  ...configuration,
  ...inherited,
  ...network,
  ...results,
  ...text,
  ...signatures,
  ...sources,
  ...inside,
  ...limits,
];

const { values } = parseArgs({
  options: {
    program: { type: "string", default: resolve(import.meta.dirname, "../..") },
    "base-from": { type: "string" },
    only: { type: "string" },
    quick: { type: "boolean", default: false },
    list: { type: "boolean", default: false },
    expect: { type: "string", default: "held" },
    jobs: { type: "string", default: "2" },
    keep: { type: "boolean", default: false },
    json: { type: "string" },
    help: { type: "boolean", short: "h", default: false },
  },
});
if (values.help) {
  console.log(usage);
  process.exit();
}
if (!["held", "succeeds"].includes(values.expect))
  throw new RangeError("--expect held or --expect succeeds");

const only = values.only?.split(",");
for (const name of only ?? [])
  if (!all.some(({ id, row }) => id === name || row === name))
    throw new RangeError(`${name} is no attack`);
const wanted = all.filter(
  ({ id, row, quick }) =>
    (!values.quick || quick === true) &&
    (only === undefined || only.includes(id) || only.includes(row)),
);
if (values.list) {
  for (const { id, row, boundary, tries } of wanted)
    console.log(`${row.padEnd(4)} ${boundary.padEnd(14)} ${id}: ${tries}`);
  process.exit();
}

becomePlainUser();
const started = performance.now();
const ended = await carryOutAll(wanted, {
  program: resolve(values.program),
  baseFrom: values["base-from"],
  jobs: Number(values.jobs),
  keep: values.keep,
  tell: ({ attack, result, why, seconds }) =>
    console.log(
      `${attack.row.padEnd(4)} ${attack.id.padEnd(30)} ${result.padEnd(15)} ${seconds.toFixed(0).padStart(4)} s  ${attack.tries}${why === "" ? "" : `\n       ${why.slice(0, 400)}`}`,
    ),
});

const of = (result) => ended.filter((one) => one.result === result);
const surprising =
  values.expect === "held"
    ? ended.filter(({ result }) => result !== "held" && result !== "skipped")
    : ended.filter(
        ({ attack, result }) =>
          result === "not carried out" ||
          (attack.before === "succeeds" && result === "held") ||
          (attack.before === "held" && result === "got through"),
      );
console.log(
  `attack: ${ended.length} attacks in ${((performance.now() - started) / 1000).toFixed(0)} s: ${of("held").length} held, ${of("got through").length} got through, ${of("not carried out").length} not carried out, ${of("skipped").length} skipped${surprising.length === 0 ? "" : `; not as expected: ${surprising.map(({ attack }) => attack.id).join(", ")}`}`,
);
if (values.json !== undefined)
  writeFileSync(
    values.json,
    JSON.stringify(
      ended.map(({ attack, ...rest }) => ({
        id: attack.id,
        row: attack.row,
        boundary: attack.boundary,
        tries: attack.tries,
        ...rest,
      })),
      null,
      2,
    ),
  );
process.exitCode = surprising.length === 0 ? 0 : 1;
