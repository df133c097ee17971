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

/** The effective configuration: defaults, and over them one file. */
export interface Config {
  readonly get: <K extends SettingKey>(key: K) => SettingValue<K>;
  /** File the setting came from, or "default". */
  readonly origin: (key: SettingKey) => string;
  /** The file that was read, or null. */
  readonly file: string | null;
}

/** Every setting at its default. */
export const noConfig = (): Config => configOf({}, null);

/** In each folder, the first of these that is there. */
const names = ["config.json", "config.yaml", "config.yml"];

/** Closes the state's own configuration to others, as all of the state is. */
export function closeConfig(root: string): void {
  for (const file of configFiles(root)) chmodSync(file, 0o600);
}

/** The state's own configuration, plain files alone. */
export function configFiles(root: string): string[] {
  return names
    .map((name) => join(root, name))
    .filter(
      (file) => lstatSync(file, { throwIfNoEntry: false })?.isFile() === true,
    );
}

/** Whose word a file is, and by that whether it may decide whom to trust. */
interface Candidate {
  readonly file: string;
  /** Whether it may, when that user owns it. */
  readonly mayTrust: (uid: number) => boolean;
}

/**
 * The file that was named, else the first that is there of the state's own, the caller's and the
 * machine's. The working folder is none of these: whoever can write there would decide.
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
      // HOME may still be that of another user, which is closed to this one.
      if (isThere(file, folder === user)) return { file, mayTrust };
    }
  return undefined;
}

/** A link that leads nowhere is there: that it cannot be read is worth an error. */
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
 * Reads the configuration: the file named, else the first there is of STATE/config.*,
 * ~/.config/ubuntu-ci/config.* and /etc/ubuntu-ci/config.*. It has to be the caller's, the state
 * owner's or root's, and nobody else may be able to change it. What decides trust counts only from the
 * state folder, /etc, or a named file that the state's owner or root owns.
 *
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

/** Loading cosmiconfig only to have it parse JSON would be a tenth of what an idle pass costs. */
async function parse(file: string, text: string): Promise<unknown> {
  if (text.trim() === "") return {};
  if (file.endsWith(".json")) return JSON.parse(text) as unknown;
  // cosmiconfig would run a program for its configuration.
  if (/\.[cm]?[jt]s$/.test(file))
    throw misconfigured(
      `the configuration ${file} is a program`,
      "write it as JSON or YAML",
    );
  const { defaultLoadersSync } = await import("cosmiconfig");
  return defaultLoadersSync[".yaml"](file, text) as unknown;
}

/**
 * A configuration from a parsed file. Exported for tests and for callers that have values at hand.
 *
 * @param mayTrust whether it may hold settings that decide trust
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
