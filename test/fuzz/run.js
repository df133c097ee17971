#!/usr/bin/env node
// Gives every parser mutated inputs and checks what it makes of them; or admission, mutated uploads.
import { parseArgs } from "node:util";

const usage = `npm run fuzz -- [options]
  --count N     so many inputs (default: 100000; with --admission 1000)
  --seed N      another seed, other inputs (default: another each time)
  --from N      begin with that input of the seed: --from N --count 1 repeats one
  --admission   whole uploads for admission, a sample of the accepted compared with
                python3-debian and dpkg
  --sample N    so many are compared (default: 200)`;

const { values } = parseArgs({
  options: {
    count: { type: "string" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    from: { type: "string", default: "0" },
    admission: { type: "boolean", default: false },
    sample: { type: "string", default: "200" },
    help: { type: "boolean", short: "h", default: false },
  },
});
if (values.help) {
  console.log(usage);
  process.exit();
}
const number = (name, least) => {
  const value = Number(values[name]);
  if (Number.isSafeInteger(value) && value >= least) return value;
  console.error(`fuzz: --${name} must be a whole number from ${least}`);
  process.exit(2);
};
values.count ??= values.admission ? "1000" : "100000";
const plan = {
  count: number("count", 1),
  seed: number("seed", 0),
  from: number("from", 0),
  sample: number("sample", 0),
};
const what = values.admission ? "admission" : "parsers";
const { fuzz } = await import(`./${what}.js`);
const started = performance.now();
const { violations, line } = await fuzz(plan);
const seconds = Math.round((performance.now() - started) / 1000);
for (const { index, where, why, input } of violations)
  console.error(
    `fuzz: ${where}: ${why}\n  again: npm run fuzz -- ${values.admission ? "--admission " : ""}--seed ${plan.seed} --from ${index} --count 1\n  input: ${input}`,
  );
console.log(
  `fuzz: ${what}: seed ${plan.seed}, ${line}, ${violations.length === 0 ? "ok" : `${violations.length} FAILED`} (${seconds} s)`,
);
process.exit(violations.length === 0 ? 0 : 1);
