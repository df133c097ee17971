import { refused } from "../lib/domain/error.ts";
import { settings } from "../lib/domain/settings.ts";
import type { CommandModule } from "./index.ts";

export const command: CommandModule = {
  define(command, makeContext) {
    command
      .argument("[key]", "one setting (default: all)")
      .addHelpText(
        "after",
        "\nExamples:\n  ubuntu-ci config\n  ubuntu-ci config builder --json",
      )
      .action(async (key: string | undefined) => {
        const { config, result } = await makeContext();
        const shown = settings.filter(
          (setting) => key === undefined || setting.key === key,
        );
        if (shown.length === 0)
          throw refused(
            `there is no setting ${JSON.stringify(key)}`,
            "`ubuntu-ci config` lists them",
          );
        const rows = shown.map((setting) => ({
          key: setting.key,
          value: config.get(setting.key),
          origin: config.origin(setting.key),
          help: setting.help,
        }));
        const text = rows
          .map(
            (row) =>
              `${row.key} = ${JSON.stringify(row.value)}  (${row.origin})\n    ${row.help}`,
          )
          .join("\n");
        result(text, key === undefined ? { settings: rows } : rows[0]);
      });
  },
};
