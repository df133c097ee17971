import { settings } from "../lib/config/settings.ts";
import type { Setting } from "../lib/domain/setting.ts";
import { table } from "./columns.ts";
import type { CommandEntry } from "./command.ts";
import { topics } from "./command.ts";

/** What `help WORD` says of a topic or a setting, which are no commands; undefined of any other word. */
export function helpAbout(
  word: string,
  commands: Readonly<Record<string, CommandEntry>>,
): string | undefined {
  const topic = Object.entries(topics).find(([name]) => name === word);
  if (topic !== undefined) {
    const [name, { heading }] = topic;
    const rows = Object.entries(commands)
      .filter(([, entry]) => entry.topic === name)
      .map(([command, { summary }]) => [command, summary]);
    return `${heading}\n${table(rows).replaceAll(/^/gm, "  ")}`;
  }
  const setting = (settings as readonly Setting[]).find(
    ({ key }) => key === word,
  );
  if (setting === undefined) return undefined;
  const { key, help, kind } = setting;
  const choices =
    kind.type === "string" && kind.choices !== undefined
      ? `\n  one of ${kind.choices.join(", ")}`
      : "";
  const value =
    setting.default === null
      ? "no default"
      : `default: ${JSON.stringify(setting.default)}`;
  return `${key}, a setting: ${help} (${value})${choices}\n  ubuntu-ci config ${key}   shows its value and where that comes from`;
}
