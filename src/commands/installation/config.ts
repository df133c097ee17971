import { nearest } from "../../lib/domain/nearest.ts";
import { refused } from "../../lib/domain/error.ts";
import { sampleConfig } from "../../lib/config/sample-config.ts";
import { settingsForPeople } from "../../lib/backends/kinds.ts";
import type { Setting } from "../../lib/domain/setting.ts";
import type { SettingKey } from "../../lib/config/settings.ts";
import { settings } from "../../lib/config/settings.ts";
import type { Command } from "../../cli/command.ts";
import { advice, remedy } from "../../lib/domain/remedy.ts";

export const command: Command<{ key?: string; sample?: true }> = {
  state: "optional",
  changes: false,
  define: (command) =>
    command
      .argument("[key]", "one setting (default: all)")
      .option("--sample", "print a configuration file to start from (YAML)"),
  examples: [
    "config builder --json",
    "config --sample > /etc/ubuntu-ci/config.yaml",
  ],
  notes: `Read is the first there is of --config FILE, STATE/config.json (.yaml, .yml), ~/.config/ubuntu-ci/ and
/etc/ubuntu-ci/. It must be yours, the state owner's or root's, and nobody else may write it. What
decides whom to trust ([trust]) counts only from STATE, /etc, or a FILE of the owner's or root's.`,
  run({ config }, { key, sample: wanted }) {
    if (wanted === true) {
      const sample = sampleConfig(settingsForPeople(settings));
      return { text: sample.trimEnd(), value: { sample } };
    }
    const shown = (settings as readonly Setting[]).filter(
      (setting) => key === undefined || setting.key === key,
    );
    if (shown.length === 0) {
      const meant = nearest(
        key ?? "",
        settings.map((setting) => setting.key),
      );
      throw refused(
        `there is no setting ${JSON.stringify(key)}`,
        advice`${meant === undefined ? "" : `did you mean ${meant}? `}${remedy("config")} lists them`,
      );
    }
    const rows = shown.map((setting) => ({
      key: setting.key,
      value: config.get(setting.key as SettingKey),
      origin: config.origin(setting.key as SettingKey),
      help: setting.help,
      trust: setting.trust === true,
    }));
    const text = rows
      .map(
        (row) =>
          `${row.key} = ${JSON.stringify(row.value)}  (${row.origin})\n    ${row.help}${row.trust ? " [trust]" : ""}`,
      )
      .join("\n");
    return { text, value: key === undefined ? { settings: rows } : rows[0] };
  },
};
