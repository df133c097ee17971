import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

import type { Problem } from "../domain/error.ts";
import { misconfigured, UbuntuCiError, ExitCode } from "../domain/error.ts";
import type { Setting, SettingKey, SettingValue } from "../domain/settings.ts";
import { settings } from "../domain/settings.ts";

/** The effective configuration: defaults, and over them one file. */
export interface Config {
  readonly get: <K extends SettingKey>(key: K) => SettingValue<K>;
  /** File the setting came from, or "default". */
  readonly origin: (key: SettingKey) => string;
  /** The file that was read, or null. */
  readonly file: string | null;
}

const places = [
  "package.json",
  ".ubuntu-circ",
  ".ubuntu-circ.json",
  ".ubuntu-circ.yaml",
  ".ubuntu-circ.yml",
  "ubuntu-ci.config.json",
  "ubuntu-ci.config.yaml",
];

/** In the folders that are for nothing but our configuration. */
const names = ["config.json", "config.yaml", "config.yml"];

const folders = () => [join(homedir(), ".config/ubuntu-ci"), "/etc/ubuntu-ci"];

/** Whether cosmiconfig would find anything to read: loading it to find nothing is 10 ms a command. */
function mayHaveConfig(): boolean {
  const candidates = folders().flatMap((folder) =>
    names.map((name) => join(folder, name)),
  );
  for (let folder = process.cwd(); ; folder = dirname(folder)) {
    candidates.push(...places.map((name) => join(folder, name)));
    if (folder === dirname(folder)) break;
  }
  return candidates.some((candidate) => existsSync(candidate));
}

/** cosmiconfig's own JSON loader costs every command 15 ms where there is a package.json. */
const loaders = {
  ".json": (_file: string, text: string): unknown => JSON.parse(text),
};

/**
 * Reads the configuration: the file named, else cosmiconfig's search from the working folder up,
 * then ~/.config/ubuntu-ci/, then /etc/ubuntu-ci/.
 *
 * @throws UbuntuCiError (78) with every problem of the file, each with its key
 */
export async function loadConfig(file: string | undefined): Promise<Config> {
  if (file === undefined && !mayHaveConfig()) return configOf({}, null);
  const cosmiconfig = await import("cosmiconfig");
  let found;
  try {
    if (file !== undefined) {
      found = cosmiconfig.cosmiconfigSync("ubuntu-ci", { loaders }).load(file);
    } else {
      found = cosmiconfig
        .cosmiconfigSync("ubuntu-ci", {
          loaders,
          searchPlaces: places,
          searchStrategy: "global",
        })
        .search();
      for (const folder of folders()) {
        found ??= cosmiconfig
          .cosmiconfigSync("ubuntu-ci", {
            loaders,
            searchPlaces: names,
          })
          .search(folder);
      }
    }
  } catch (thrown) {
    throw misconfigured(
      `the configuration${file === undefined ? "" : ` ${file}`} cannot be read: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
      "correct the file, or name another with --config",
      thrown,
    );
  }
  if (found === null || found.isEmpty === true) return configOf({}, null);
  return configOf(found.config, found.filepath);
}

/** A configuration from a parsed file. Exported for tests and for callers that have values at hand. */
export function configOf(contents: unknown, file: string | null): Config {
  const problems: Problem[] = [];
  const flat = new Map<string, unknown>();
  flatten(contents, "", flat, file ?? "configuration", problems);
  const values = new Map<string, unknown>();
  for (const [key, value] of flat) {
    const setting = (settings as readonly Setting[]).find(
      (candidate) => candidate.key === key,
    );
    const wrong =
      setting === undefined
        ? "there is no such setting"
        : check(setting, value);
    if (wrong === undefined) values.set(key, value);
    else
      problems.push({
        where: file ?? "configuration",
        field: key,
        message: wrong,
      });
  }
  if (problems.length > 0) {
    throw new UbuntuCiError(`the configuration ${file ?? ""} is wrong`, {
      exitCode: ExitCode.misconfigured,
      hint: "`ubuntu-ci config` lists every setting",
      problems,
    });
  }
  const byKey = new Map<string, Setting>(
    settings.map((setting) => [setting.key, setting]),
  );
  return {
    file,
    get: <K extends SettingKey>(key: K) =>
      (values.get(key) ?? byKey.get(key)?.default ?? null) as SettingValue<K>,
    origin: (key) => (values.has(key) ? (file ?? "given") : "default"),
  };
}

function flatten(
  value: unknown,
  prefix: string,
  into: Map<string, unknown>,
  where: string,
  problems: Problem[],
): void {
  if (value !== null && typeof value === "object" && !Array.isArray(value)) {
    for (const [key, inner] of Object.entries(value)) {
      flatten(
        inner,
        prefix === "" ? key : `${prefix}.${key}`,
        into,
        where,
        problems,
      );
    }
  } else if (prefix === "") {
    problems.push({ where, message: "is not a list of settings" });
  } else {
    into.set(prefix, value);
  }
}

function check(setting: Setting, value: unknown): string | undefined {
  const { kind } = setting;
  switch (kind.type) {
    case "string":
      if (typeof value !== "string") return "must be a text";
      if (kind.choices !== undefined && !kind.choices.includes(value)) {
        return `must be one of ${kind.choices.join(", ")}`;
      }
      return undefined;
    case "integer":
      if (
        typeof value !== "number" ||
        !Number.isInteger(value) ||
        value < kind.min ||
        value > kind.max
      ) {
        return `must be a whole number from ${kind.min} to ${kind.max}`;
      }
      return undefined;
    case "boolean":
      return typeof value === "boolean" ? undefined : "must be true or false";
    case "list":
      return Array.isArray(value) &&
        value.every((item) => typeof item === "string")
        ? undefined
        : "must be a list of texts";
  }
}
