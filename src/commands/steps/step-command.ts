import { ticketNumber } from "../../cli/arguments.ts";
import type { Command } from "../../cli/command.ts";
import { advice, remedy } from "../../lib/domain/remedy.ts";
import type { StepCommand } from "../../lib/domain/step.ts";
import { stepCommands } from "../../lib/domain/step.ts";
import type { StepPlan } from "../../lib/steps/step-definition.ts";

/** Makes the command that runs one step of one ticket. */
export function stepCommand(
  name: StepCommand,
): Command<{ ticket?: number }, StepPlan | null> {
  const entry = stepCommands.find(({ command }) => command === name);
  if (entry === undefined) throw new RangeError(name);
  const { code } = entry;
  return {
    changes: true,
    locks: [{ name, slots: "concurrency" }],
    define: (command) =>
      command.option(
        "--ticket <number>",
        "work on this ticket alone (default: the oldest ready one)",
        ticketNumber,
      ),
    endsItself: true,
    whenInterrupted: advice`what was logged is kept, and no retry is counted; ${remedy(name)} does it again`,
    examples: [name, `${name} --ticket 7 -v 3`],
    async nothingToDo(context, { ticket }) {
      const { mayHaveWork } = await import("./may-have-work.ts");
      if (await mayHaveWork(context, [code], ticket)) return undefined;
      context.say(`${name}: nothing to do`);
      return { value: { plan: null, runs: [] } };
    },
    async plan(context, { ticket }) {
      const { planStepCommand } = await import("./run-step-command.ts");
      return planStepCommand(context, code, ticket);
    },
    async run(context, { ticket }) {
      const { runStepCommand } = await import("./run-step-command.ts");
      return runStepCommand(context, code, ticket);
    },
  };
}
