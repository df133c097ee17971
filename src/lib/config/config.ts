import { chmodSync, lstatSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";

import type { Problem } from "../domain/error.ts";
import {
  ExitCode,
  messageOf,
  misconfigured,
  UbuntuCiError,
} from "../domain/error.ts";
import type { Setting } from "../domain/setting.ts";
import type { SettingKey, SettingValue } from "./settings.ts";
import { settings } from "./settings.ts";
import { uidOf } from "../host/account.ts";
import { callersFolder } from "../host/callers-folder.ts";
import { readTrusted } from "../host/trusted-file.ts";
import { nearest } from "../domain/nearest.ts";
import { advice, remedy } from "../domain/remedy.ts";

/** The effective configuration: the defaults, overridden by at most one file. */
export interface Config {
  readonly get: <K extends SettingKey>(key: K) => SettingValue<K>;
  /** The file that a setting came from, or "default". */
  readonly origin: (key: SettingKey) => string;
  /** The file that was read, or null. */
  readonly file: string | null;
}

/** A configuration with every setting at its default. */
export const noConfig = (): Config => configOf({}, null);

/** File names looked for in each folder; the first that exists is used. */
const names = ["config.json", "config.yaml", "config.yml"];

/** Makes the configuration files in the state folder private (mode 0600), like the rest of the state. */
export function closeConfig(root: string): void {
  for (const file of configFiles(root)) chmodSync(file, 0o600);
}

/** Paths of the configuration files in the state folder; only plain files, no links. */
export function configFiles(root: string): string[] {
  return names
    .map((name) => join(root, name))
    .filter(
      (file) => lstatSync(file, { throwIfNoEntry: false })?.isFile() === true,
    );
}

/** A configuration file, and whether its settings may decide whom to trust. */
interface Candidate {
  readonly file: string;
  /** Whether they may if this user owns the file. */
  readonly mayTrust: (uid: number) => boolean;
}

/**
 * The file given with --config, else the first that exists in the state folder, the caller's home or
 * /etc. The working folder is not searched: anybody who can write to it could configure this program.
 */
function candidateOf(
  named: string | undefined,
  root: string,
  owner: number,
): Candidate | undefined {
  const always = () => true;
  if (named !== undefined)
    return {
      file: resolve(callersFolder(), named),
      mayTrust: (uid) => uid === owner || uid === 0,
    };
  const user = join(homedir(), ".config/ubuntu-ci");
  const places = [
    { folder: root, mayTrust: always },
    { folder: user, mayTrust: () => false },
    { folder: "/etc/ubuntu-ci", mayTrust: always },
  ];
  for (const { folder, mayTrust } of places)
    for (const name of names) {
      const file = join(folder, name);
      // HOME may still be another user's home, which this user may not enter.
      if (isThere(file, folder === user)) return { file, mayTrust };
    }
  return undefined;
}

/** Whether a file exists. A dangling link counts, so that it is reported instead of being passed over. */
function isThere(file: string, mayBeClosed: boolean): boolean {
  try {
    return lstatSync(file, { throwIfNoEntry: false }) !== undefined;
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === "ENOTDIR" || (code === "EACCES" && mayBeClosed)) return false;
    throw unreadable(file, thrown);
  }
}

/**
 * Reads the configuration: the named file, else the first that exists of STATE/config.*,
 * ~/.config/ubuntu-ci/config.* and /etc/ubuntu-ci/config.*. It must belong to the caller, the state's
 * owner or root, and nobody else may be able to change it. Settings that decide whom to trust are
 * accepted only from the state folder, from /etc, or from a named file of the state's owner or root.
 *
 * @param named the file given with --config
 * @param root the state folder
 * @throws UbuntuCiError (78) with every problem of the file, each with its key
 */
export async function loadConfig(
  named: string | undefined,
  root: string,
): Promise<Config> {
  const caller = process.geteuid?.() ?? 0;
  const owner = uidOf(root) ?? caller;
  const candidate = candidateOf(named, root, owner);
  if (candidate === undefined) return noConfig();
  const { file, mayTrust } = candidate;
  let found, contents;
  try {
    found = readTrusted(file, new Set([caller, owner, 0]), "the configuration");
    contents = await parse(file, found.text);
  } catch (thrown) {
    throw thrown instanceof UbuntuCiError ? thrown : unreadable(file, thrown);
  }
  return configOf(contents ?? {}, file, mayTrust(found.uid));
}

function unreadable(file: string, thrown: unknown): UbuntuCiError {
  return misconfigured(
    `the configuration ${file} cannot be read: ${messageOf(thrown)}`,
    "correct the file, or name another with --config",
    thrown,
  );
}

/** Parses JSON without cosmiconfig: loading that would add a tenth to the cost of an idle pass. */
async function parse(file: string, text: string): Promise<unknown> {
  if (text.trim() === "") return {};
  if (file.endsWith(".json")) return JSON.parse(text) as unknown;
  // cosmiconfig executes such files, and a configuration must not run code.
  if (/\.[cm]?[jt]s$/.test(file))
    throw misconfigured(
      `the configuration ${file} is a program`,
      "write it as JSON or YAML",
    );
  const { defaultLoadersSync } = await import("cosmiconfig");
  return defaultLoadersSync[".yaml"](file, text) as unknown;
}

/**
 * Checks the contents of a parsed file and makes a configuration of them. Exported for tests and for
 * callers whose settings come from elsewhere.
 *
 * @param file path for messages; null when there is no file
 * @param mayTrust whether it may contain settings that decide whom to trust
 * @throws UbuntuCiError (78) with every problem, each with its key
 */
export function configOf(
  contents: unknown,
  file: string | null,
  mayTrust = true,
): Config {
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
        ? noSuchSetting(key)
        : setting.trust === true && !mayTrust
          ? trustElsewhere
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
      hint: advice`${remedy("config")} lists every setting`,
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

function noSuchSetting(key: string): string {
  const meant = nearest(
    key,
    settings.map((setting) => setting.key),
  );
  return `there is no such setting${meant === undefined ? "" : `; did you mean ${meant}?`}`;
}

const trustElsewhere =
  "decides whom to trust: it counts only in STATE/config.*, in /etc/ubuntu-ci/config.*, or in a file named with --config that the owner of the state folder or root owns";

function flatten(
  value: unknown,
  prefix: string,
  into: Map<string, unknown>,
  where: string,
  problems: Problem[],
): void {
  if (isTable(prefix)) into.set(prefix, value);
  else if (
    value !== null &&
    typeof value === "object" &&
    !Array.isArray(value)
  ) {
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

/** Whether that setting's value is a table itself, and not further settings. */
function isTable(key: string): boolean {
  return (settings as readonly Setting[]).some(
    (setting) => setting.key === key && setting.kind.type === "table",
  );
}

function check(setting: Setting, value: unknown): string | undefined {
  const { kind } = setting;
  switch (kind.type) {
    case "string":
      if (typeof value !== "string") return "must be a string";
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
        : "must be a list of strings";
    case "table":
      return value !== null &&
        typeof value === "object" &&
        !Array.isArray(value) &&
        Object.values(value).every((item) => typeof item === "string")
        ? undefined
        : "must be a table of strings";
  }
}
