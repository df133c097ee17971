import { cliSettings } from "../../cli/settings.ts";
import { backendsSettings } from "../backends/settings.ts";
import { clientsSettings } from "../clients/settings.ts";
import type { Setting } from "../domain/setting.ts";
import { engineSettings } from "../engine/settings.ts";
import { locksSettings } from "../locks/settings.ts";
import { reportSettings } from "../report/settings.ts";
import { sessionSettings } from "../session/settings.ts";
import { shepherdSettings } from "../shepherd/settings.ts";
import { stepsSettings } from "../steps/settings.ts";
import { ticketsSettings } from "../tickets/settings.ts";
import { upkeepSettings } from "../upkeep/settings.ts";

/**
 * Every setting, in the order of the sample configuration; each room of src/lib declares its own.
 * Checking a file, `ubuntu-ci config` and `config --sample` all use this list.
 */
export const settings = [
  ...sessionSettings,
  ...ticketsSettings,
  ...backendsSettings,
  ...stepsSettings,
  ...engineSettings,
  ...locksSettings,
  ...upkeepSettings,
  ...reportSettings,
  ...shepherdSettings,
  ...clientsSettings,
  ...cliSettings,
] as const satisfies readonly Setting[];

type Table = typeof settings;
export type SettingKey = Table[number]["key"];
type KindOf<K extends SettingKey> = Extract<Table[number], { key: K }>["kind"];
type DefaultOf<K extends SettingKey> = Extract<
  Table[number],
  { key: K }
>["default"];
type Value<T> = T extends { type: "integer" }
  ? number
  : T extends { type: "boolean" }
    ? boolean
    : T extends { type: "list" }
      ? readonly string[]
      : T extends { type: "table" }
        ? Readonly<Record<string, string>>
        : T extends { choices: readonly (infer C)[] }
          ? C
          : string;

/** The type of a setting's value; it may be null if the setting has no default. */
export type SettingValue<K extends SettingKey> =
  Value<KindOf<K>> | (DefaultOf<K> extends null ? null : never);
