import { randomSource } from "../crash/random.js";
import { bytesOf, mutate } from "./mutate.js";
import { readers } from "./readers.js";
import { makeTemplates } from "./templates.js";
import { isTooSlow } from "./time-limit.js";

/** After so many there is no need to look for more. */
const mostViolations = 10;
const sayEveryMs = 60_000;

/** Gives `count` inputs to the readers in turn. */
export async function fuzz({ count, seed, from }) {
  const templates = makeTemplates(randomSource(seed));
  const violations = [];
  const taken = Object.fromEntries(readers.map(({ name }) => [name, 0]));
  let said = performance.now();
  for (let index = from; index < from + count; index += 1) {
    const reader = readers[index % readers.length];
    const random = randomSource(Math.imul(seed + 1, 0x9e3779b1) ^ index);
    const texts = templates[reader.of];
    const others = templates[random.pick(Object.keys(templates))];
    const text = mutate(random, random.pick(texts), random.pick(others));
    const input = reader.bytes ? bytesOf(random, text) : text;
    const began = performance.now();
    let why;
    try {
      if (reader.read(input) !== false) taken[reader.name] += 1;
      const call = () => reader.read(input);
      why = await isTooSlowNow(began, input.length, call);
    } catch (thrown) {
      why = thrown.stack.slice(0, 1000);
    }
    if (why !== undefined) {
      const shown = JSON.stringify(String(input)).slice(0, 2000);
      violations.push({ index, where: reader.name, why, input: shown });
      if (violations.length >= mostViolations) break;
    }
    if (performance.now() - said > sayEveryMs) {
      said = performance.now();
      console.error(`fuzz: ${index - from + 1} of ${count} inputs`);
    }
  }
  // A reader that refuses everything has not been tried.
  const all = readers.length * 200;
  for (const { name } of count < all ? [] : readers)
    if (taken[name] === 0)
      violations.push({
        index: from,
        where: name,
        why: "took no input at all",
      });
  const accepted = Object.values(taken).reduce((sum, one) => sum + one, 0);
  return { violations, line: `${count} inputs, ${accepted} taken` };
}

/** Not a promise for each input: nearly all are quick. */
function isTooSlowNow(began, bytes, call) {
  const took = performance.now() - began;
  return took < 20 ? undefined : isTooSlow(took, bytes, call);
}
