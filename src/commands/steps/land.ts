import { advice, remedy } from "../../lib/domain/remedy.ts";
import { stepCommands } from "../../lib/domain/step.ts";
import { ticketNumber, workStepArgument } from "../../cli/arguments.ts";
import type { Command } from "../../cli/command.ts";
import type { StepPlan } from "../../lib/steps/step-definition.ts";
import type { LandingOptions } from "./land-tickets.ts";

export const command: Command<LandingOptions, readonly StepPlan[]> = {
  changes: true,
  locks: [{ name: "land", slots: "concurrency" }],
  define: (command) =>
    command
      .option(
        "--ticket <number>",
        "land this ticket alone (default: every ready one, `concurrency` at a time)",
        ticketNumber,
      )
      .option(
        "--until <step>",
        "the last step to run, by code, name or command (default: publish)",
        workStepArgument,
      ),
  endsItself: true,
  whenInterrupted: advice`finished steps stay, what this one logged is kept, and no retry is counted; ${remedy("land")} goes on`,
  examples: ["land", "land --ticket 7 --until run-tests"],
  async nothingToDo(context, { ticket }) {
    const { mayHaveWork } = await import("./may-have-work.ts");
    const steps = stepCommands.map(({ code }) => code);
    if (await mayHaveWork(context, steps, ticket)) return undefined;
    context.say("land: nothing to do");
    return { value: { plans: [], runs: [] } };
  },
  async plan(context, options) {
    const { planLandTickets } = await import("./land-tickets.ts");
    return planLandTickets(context, options);
  },
  async run(context, options) {
    const { landTickets } = await import("./land-tickets.ts");
    return landTickets(context, options);
  },
};
