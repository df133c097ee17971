import { refused } from "../../lib/domain/error.ts";
import { pathArgument, ticketNumber } from "../../cli/arguments.ts";
import { fetchTo } from "./fetch-artifact.ts";
import type { CommandModule } from "../../cli/command.ts";

export const command: CommandModule = {
  define(command, makeContext) {
    command
      .argument("<ticket>", "number of the ticket", ticketNumber)
      .argument("<name>", "name of the artifact, as `status N` lists it")
      .option(
        "-o, --output <file>",
        "file or folder to write, - for standard output (default: its name, here)",
      )
      .addHelpText(
        "after",
        `
Examples:
  ubuntu-ci get_artifact 7 hello_2.10-4_amd64.build.log -o -
  ubuntu-ci get_artifact 7 hello_2.10-4_amd64.deb -o /tmp`,
      )
      .action(
        async (id: number, name: string, options: { output?: string }) => {
          const context = await makeContext();
          const tickets = await context.tickets();
          const ticket = await tickets.get(id);
          const artifact = ticket.artifacts.find(
            (candidate) => candidate.name === name,
          );
          if (artifact === undefined) {
            const names = ticket.artifacts
              .map((candidate) => candidate.name)
              .join(", ");
            throw refused(
              `ticket ${id} has no artifact ${JSON.stringify(name)}`,
              names === "" ? "it has none yet" : `it has ${names}`,
            );
          }
          const output =
            options.output === "-" ? "-" : pathArgument(options.output ?? name);
          await fetchTo(context, tickets, artifact, output);
        },
      );
  },
};
