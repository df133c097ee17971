import { expectedInWords } from "../lib/domain/expected.ts";
import type { Explanation } from "../lib/domain/explain/finding.ts";
import { oneLine } from "../lib/domain/one-line.ts";

/** An explanation for people: why, what comes next, and each command with what it does. */
export function explanationText({
  ticket,
  blocked,
  step,
  because,
  next,
  expected,
  commands,
}: Explanation): string {
  const state =
    step.code === 1000 ? "complete" : blocked ? "blocked" : "on its way";
  const at = next?.at == null ? "" : `, from ${next.at} on`;
  return [
    `ticket ${ticket} is at ${step.name} (${step.code}): ${state}`,
    "",
    "because",
    ...because.map((line) => `  ${oneLine(line)}`),
    "",
    "next, on its own",
    `  ${next === null ? "nothing" : `${oneLine(next.action)}${at}`}`,
    ...(expected === null
      ? []
      : [`  ${expectedInWords(expected, Date.now())}`]),
    ...(commands.length === 0 ? [] : ["", "what you can do"]),
    ...commands.flatMap(({ command, effect }) => [
      `  ${oneLine(command)}`,
      `    ${oneLine(effect)}`,
    ]),
  ].join("\n");
}
