import { refused } from "../lib/domain/error.ts";
import { sampleConfig } from "../lib/domain/sample-config.ts";
import { settings } from "../lib/domain/settings.ts";
import type { CommandModule } from "./command.ts";

export const command: CommandModule = {
  define(command, makeContext) {
    command
      .argument("[key]", "one setting (default: all)")
      .option("--sample", "print a configuration file to start from (YAML)")
      .addHelpText(
        "after",
        "\nExamples:\n  ubuntu-ci config builder --json\n  ubuntu-ci config --sample > /etc/ubuntu-ci/config.yaml",
      )
      .action(async (key: string | undefined, options: { sample?: true }) => {
        const { config, result } = await makeContext();
        if (options.sample === true) {
          const sample = sampleConfig();
          result(sample.trimEnd(), { sample });
          return;
        }
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
