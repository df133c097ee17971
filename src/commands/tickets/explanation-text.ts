import { wrapped } from "../../cli/columns.ts";
import { withoutMilliseconds } from "../../lib/domain/age.ts";
import { etaInWords, expectedInWords } from "../../lib/domain/expected.ts";
import type { Explanation } from "../../lib/domain/explain/explanation.ts";
import type { LandingExplanation } from "../../lib/domain/explain/landing.ts";
import { textOfLines } from "../../lib/domain/shown-text.ts";
import { completeStep } from "../../lib/domain/step.ts";

/** An explanation with its commands as text: the shape of `explain N --json`. */
export interface WrittenExplanation extends Omit<
  Explanation,
  "unblock" | "commands"
> {
  readonly unblock: string | null;
  readonly commands: readonly {
    readonly command: string;
    readonly effect: string;
  }[];
}

/** The same for a landing. */
export interface WrittenLandingExplanation extends Omit<
  LandingExplanation,
  "unblock" | "commands"
> {
  readonly unblock: string | null;
  readonly commands: WrittenExplanation["commands"];
}

/** Renders why a landing may be deployed or not, and what each suggested command does. */
export function landingExplanationText({
  landing,
  series,
  deployable,
  because,
  next,
  commands,
}: WrittenLandingExplanation): string {
  return textOfLines([
    `landing ${landing} of ${series} is ${deployable ? "" : "not "}deployable`,
    "",
    "because",
    ...because.map((line) => `  ${line}`),
    ...(next === null ? [] : ["", "next", `  ${next.action}`]),
    ...commandLines(commands),
  ]);
}

/**
 * Renders an explanation: why, what comes next, and what each suggested command does.
 *
 * @param width columns that a line should have at most; commands stay whole, so that they can be copied
 */
export function explanationText(
  {
    ticket,
    blocked,
    step,
    status,
    because,
    next,
    expected,
    eta,
    commands,
  }: WrittenExplanation,
  width = Infinity,
): string {
  const inLines = (line: string) =>
    wrapped(withoutMilliseconds(textOfLines([line])), width, "    ");
  const state =
    step.code === completeStep
      ? "complete"
      : blocked
        ? "blocked"
        : "on its way";
  const at = next?.at == null ? "" : `, from ${next.at} on`;
  return textOfLines([
    status === "cancelled"
      ? `ticket ${ticket} is cancelled`
      : `ticket ${ticket} is at ${step.name} (${step.code}): ${state}`,
    "",
    "because",
    ...because.flatMap((line) => inLines(`  ${line}`)),
    "",
    "next, on its own",
    ...inLines(`  ${next === null ? "nothing" : `${next.action}${at}`}`),
    ...(expected === null
      ? []
      : inLines(`  ${expectedInWords(expected, Date.now())}`)),
    ...(eta === null ? [] : [`  ${etaInWords(eta)}`]),
    ...commandLines(commands),
  ]);
}

const commandLines = (commands: WrittenExplanation["commands"]) => [
  ...(commands.length === 0 ? [] : ["", "what you can do"]),
  ...commands.flatMap(({ command, effect }) => [
    `  ${command}`,
    `    ${effect}`,
  ]),
];
