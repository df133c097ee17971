import { landingNumber, ticketNumber } from "../../cli/arguments.ts";
import type { Command, Result } from "../../cli/command.ts";
import type { CommandContext } from "../../cli/context.ts";
import { terminalWidth } from "../../lib/host/output.ts";
import { refused } from "../../lib/domain/error.ts";
import type { Suggestion } from "../../lib/domain/explain/explanation.ts";

interface Options {
  readonly ticket?: number;
  readonly landing?: number;
}

export const command: Command<Options> = {
  changes: false,
  define: (command) =>
    command
      .argument(
        "[ticket]",
        "number of the ticket (required without --landing)",
        ticketNumber,
      )
      .option(
        "--landing <revision>",
        "why that landing may be deployed or not (default: none)",
        landingNumber,
      ),
  examples: ["explain 7", "explain 7 --json", "explain --landing 5"],
  check({ ticket, landing }) {
    if ((ticket === undefined) === (landing === undefined))
      throw refused("name a ticket, or a landing with --landing");
  },
  async run(context, { ticket, landing }) {
    if (landing !== undefined) return ofLanding(context, landing);
    const tickets = await context.tickets();
    const { explanationText } = await import("./explanation-text.ts");
    const explanation = await tickets.explain(ticket ?? 0);
    const written = { ...explanation, ...commandsOf(context, explanation) };
    const text = explanationText(written, terminalWidth("stdout"));
    return { text, value: written };
  },
};

async function ofLanding(
  context: CommandContext,
  revision: number,
): Promise<Result> {
  const tickets = await context.tickets();
  const { landingExplanationText } = await import("./explanation-text.ts");
  const explanation = await tickets.explainLanding(revision);
  const written = { ...explanation, ...commandsOf(context, explanation) };
  return { text: landingExplanationText(written), value: written };
}

/** The commands that help, as they are to be typed. */
function commandsOf(
  context: CommandContext,
  {
    unblock,
    commands,
  }: {
    readonly unblock: Suggestion["command"] | null;
    readonly commands: readonly Suggestion[];
  },
) {
  return {
    unblock: unblock === null ? null : context.text(unblock),
    commands: commands.map(({ command, effect }) => ({
      command: context.text(command),
      effect: context.text(effect),
    })),
  };
}
