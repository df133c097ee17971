import { Option } from "commander";

import { refused } from "../../lib/domain/error.ts";
import { pathArgument, ticketNumber } from "../../cli/arguments.ts";
import { fetchTo } from "./fetch-artifact.ts";
import type { CommandModule } from "../../cli/command.ts";

export const command: CommandModule = {
  define(command, makeContext) {
    command
      .argument("<ticket>", "number of the ticket", ticketNumber)
      .option(
        "-o, --output <file>",
        "file or folder to write, - for standard output (default: its name, here)",
      )
      .addOption(
        new Option("--type <type>", "kind of image")
          .choices(["rootfs", "qcow2"])
          .default("rootfs"),
      )
      .addHelpText(
        "after",
        `
Examples:
  ubuntu-ci get_image 7
  ubuntu-ci get_image 7 -o /srv/images/hello.rootfs.tar.zst`,
      )
      .action(
        async (
          id: number,
          options: { output?: string; type: "rootfs" | "qcow2" },
        ) => {
          const context = await makeContext();
          const tickets = await context.tickets();
          const ticket = await tickets.get(id);
          const ending =
            options.type === "rootfs" ? ".rootfs.tar.zst" : ".qcow2";
          const image = ticket.artifacts.find(
            ({ type, name }) => type === "IMAGE" && name.endsWith(ending),
          );
          if (image === undefined) {
            const where = `it is at ${ticket.step.name}, ${ticket.status}`;
            throw refused(`ticket ${id} has no ${options.type} image`, where);
          }
          await fetchTo(
            context,
            tickets,
            image,
            options.output === "-"
              ? "-"
              : pathArgument(options.output ?? image.name),
          );
        },
      );
  },
};
