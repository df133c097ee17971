import { InvalidArgumentError } from "commander";

import {
  comingMomentArgument,
  landingNumber,
  reasonArgument,
} from "../../cli/arguments.ts";
import type { Command } from "../../cli/command.ts";
import type { QaState } from "../../lib/domain/landing.ts";
import { qaStates } from "../../lib/domain/landing.ts";
import type { QaPlan, Verdict } from "../../lib/domain/qa.ts";
import { verdictInWords } from "../../lib/domain/qa.ts";

interface Options {
  readonly revision: number;
  readonly state: QaState;
  readonly rollback?: number;
  readonly note?: string;
  readonly until?: string;
}

export const command: Command<Options, QaPlan> = {
  changes: true,
  locks: [{ name: "qa", patient: true }],
  define: (command) =>
    command
      .argument("<revision>", "number of the landing", landingNumber)
      .argument("<state>", qaStates.join(", "), stateArgument)
      .option(
        "--rollback <revision>",
        "the earlier landing that this one rolls back (default: none)",
        landingNumber,
      )
      .option(
        "--note <text>",
        "what was tried, or what is wrong (default: none)",
        reasonArgument,
      )
      .option(
        "--until <date>",
        "when the landing needs testing again: a date, or a time from now such as 7d (default: never)",
        comingMomentArgument,
      ),
  examples: [
    'qa 7 ok --note "logged in and out"',
    'qa 8 bad --note "breaks logins"',
    "qa 9 ok --rollback 8",
  ],
  async plan(context, options) {
    const tickets = await context.tickets();
    return tickets.planQa(options.revision, verdictOf(options));
  },
  async run(context, options) {
    const { revision } = options;
    const tickets = await context.tickets();
    const verdict = verdictOf(options);
    const plan = await tickets.qa(revision, verdict);
    return {
      text: `landing ${revision} is ${verdictInWords(verdict)}`,
      value: {
        plan,
        revision,
        qa: verdict.qa,
        rollback_of: verdict.rollbackOf,
        until: verdict.until,
        note: verdict.note,
      },
    };
  },
};

function verdictOf({ state, rollback, until, note }: Options): Verdict {
  return {
    qa: state,
    rollbackOf: rollback ?? null,
    until: until ?? null,
    note: note ?? null,
  };
}

function stateArgument(text: string): QaState {
  const found = qaStates.find((state) => state === text);
  if (found !== undefined) return found;
  throw new InvalidArgumentError(`It must be one of ${qaStates.join(", ")}.`);
}
