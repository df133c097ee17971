import type { Setting } from "../domain/setting.ts";

/**
 * A sample configuration in YAML with everything commented out: each setting with its purpose, the
 * values it takes and its default. A setting without a default shows a placeholder in capitals.
 */
export function sampleConfig(settings: readonly Setting[]): string {
  const rows = settings.map(
    (setting) =>
      `# ${setting.help} (${takes(setting)})${setting.trust === true ? trusted : ""}\n#${setting.key}: ${shown(setting)}\n`,
  );
  return [
    "# The settings of ubuntu-ci. Take the # away before a key to change what is set there.\n# What decides whom to trust is marked [trust]: it counts only in STATE/config.yaml, in\n# /etc/ubuntu-ci/config.yaml, or in a file named with --config that the owner of the state or root\n# owns. Nobody else may be able to write the file: chmod go-w.\n",
    ...rows,
  ].join("\n");
}

const trusted = " [trust]";

function shown(setting: Setting): string {
  if (setting.default !== null) return JSON.stringify(setting.default);
  return setting.kind.type === "list" ? "[TEXT]" : "TEXT";
}

function takes({ kind }: Setting): string {
  switch (kind.type) {
    case "integer":
      return `${kind.min} to ${kind.max}`;
    case "boolean":
      return "true or false";
    case "list":
      return "a list of texts";
    case "table":
      return "a table of texts";
    case "string":
      return kind.choices?.join(" | ") ?? "a text";
  }
}
