import { InvalidArgumentError, Option } from "commander";

import { refused } from "../../lib/domain/error.ts";
import { ticketNumber } from "../../cli/arguments.ts";
import { fetchTo, forceOption } from "./fetch-artifact.ts";
import { stepInWords } from "../../lib/domain/ticket.ts";
import type { Command } from "../../cli/command.ts";

export const command: Command<{
  ticket: number;
  output?: string;
  force?: true;
  type: string;
}> = {
  changes: false,
  define: (command) =>
    command
      .argument("<ticket>", "number of the ticket", ticketNumber)
      .option(
        "-o, --output <file>",
        "file or folder/ to write, - for standard output (default: its name, here)",
      )
      .option(...forceOption)
      .addOption(
        new Option("--type <type>", "kind of image")
          .choices(["rootfs"])
          .default("rootfs")
          .argParser(imageType),
      ),
  examples: ["get_image 7", "get_image 7 -o /srv/images/hello.rootfs.tar.zst"],
  async run(context, { ticket: id, type, output, force }) {
    const tickets = await context.tickets();
    const ticket = await tickets.get(id);
    const image = ticket.artifacts.find(
      (artifact) =>
        artifact.type === "IMAGE" && artifact.name.endsWith(`.${type}.tar.zst`),
    );
    if (image === undefined)
      throw refused(
        `ticket ${id} has no ${type} image`,
        `it is at ${stepInWords(ticket)}, ${ticket.status}`,
      );
    return fetchTo(context, tickets, image, {
      output: output ?? image.name,
      ...(force !== undefined && { force }),
    });
  },
};

function imageType(type: string): string {
  if (type === "rootfs") return type;
  throw new InvalidArgumentError(
    type === "qcow2"
      ? "Bootable images (qcow2) are not made yet, only rootfs."
      : "The only kind is rootfs.",
  );
}
