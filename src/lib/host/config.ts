import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";

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

/** The first file there is of those that cosmiconfig would look at, in its order. */
function firstCandidate(): string | undefined {
  const nearby: string[] = [];
  for (let folder = process.cwd(); ; folder = dirname(folder)) {
    nearby.push(...places.map((name) => join(folder, name)));
    if (folder === dirname(folder)) break;
  }
  return [
    ...nearby,
    ...folders().flatMap((folder) => names.map((name) => join(folder, name))),
  ].find((candidate) => existsSync(candidate));
}

/** Whether a file is whole our configuration, in JSON; in package.json it is a key among others. */
function isPlainJson(file: string): boolean {
  return file.endsWith(".json") && basename(file) !== "package.json";
}

/** Loading cosmiconfig only to have it parse JSON would be a tenth of what an idle pass costs. */
function readJson(file: string): Found | undefined {
  const text = readFileSync(file, "utf8");
  return text.trim() === ""
    ? undefined
    : { config: JSON.parse(text) as unknown, filepath: resolve(file) };
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
  const candidate = file ?? firstCandidate();
  if (candidate === undefined) return configOf({}, null);
  let found;
  try {
    found =
      (isPlainJson(candidate) ? readJson(candidate) : undefined) ??
      (await askCosmiconfig(file));
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

interface Found {
  readonly config: unknown;
  readonly filepath: string;
  readonly isEmpty?: boolean;
}

async function askCosmiconfig(file: string | undefined): Promise<Found | null> {
  const { cosmiconfigSync } = await import("cosmiconfig");
  if (file !== undefined)
    return cosmiconfigSync("ubuntu-ci", { loaders }).load(file);
  let found: Found | null = cosmiconfigSync("ubuntu-ci", {
    loaders,
    searchPlaces: places,
    searchStrategy: "global",
  }).search();
  for (const folder of folders()) {
    found ??= cosmiconfigSync("ubuntu-ci", {
      loaders,
      searchPlaces: names,
    }).search(folder);
  }
  return found;
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
