import { refused } from "../../lib/domain/error.ts";
import { compressedName } from "../../lib/domain/compressed-name.ts";
import { ticketNumber } from "../../cli/arguments.ts";
import { fetchTo, forceOption } from "./fetch-artifact.ts";
import type { Command } from "../../cli/command.ts";

export const command: Command<{
  ticket: number;
  name: string;
  output?: string;
  force?: true;
}> = {
  changes: false,
  define: (command) =>
    command
      .argument("<ticket>", "number of the ticket", ticketNumber)
      .argument(
        "<name>",
        "name of the artifact, as `status N` lists it; without .gz, a log is unpacked",
      )
      .option(
        "-o, --output <file>",
        "file or folder/ to write, - for standard output (default: its name, here)",
      )
      .option(...forceOption),
  examples: [
    "get_artifact 7 hello_2.10-4_amd64.build.log -o -",
    "get_artifact 7 hello_2.10-4_amd64.deb -o /tmp",
  ],
  async run(context, { ticket: id, name, output = name, force }) {
    const tickets = await context.tickets();
    const { artifacts } = await tickets.get(id);
    const named = (wanted: string) =>
      artifacts.find((candidate) => candidate.name === wanted);
    // A long log is kept compressed, and unpacked for who asks for it by its plain name.
    const artifact = named(name) ?? named(compressedName(name));
    if (artifact === undefined) {
      const names = artifacts.map((candidate) => candidate.name).join(", ");
      throw refused(
        `ticket ${id} has no artifact ${JSON.stringify(name)}`,
        names === "" ? "it has none yet" : `it has ${names}`,
      );
    }
    return fetchTo(context, tickets, artifact, {
      output,
      unpacked: artifact.name !== name,
      ...(force !== undefined && { force }),
    });
  },
};
