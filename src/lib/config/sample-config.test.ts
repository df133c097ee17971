import { expect, test } from "vitest";

import { configOf } from "./config.ts";
import { sampleConfig } from "./sample-config.ts";
import type { Setting } from "../domain/setting.ts";
import { settings } from "./settings.ts";

test("changes nothing as it is", () => {
  const lines = sampleConfig(settings).split("\n");
  expect(lines.filter((line) => line !== "" && !line.startsWith("#"))).toEqual(
    [],
  );
});

test("has every setting, whose default is taken once its # is taken away", () => {
  const keys = sampleConfig(settings).matchAll(
    /^#(?<key>[^ :]+): (?<value>.+)$/gm,
  );
  const seen = new Map(
    [...keys].map(({ groups }) => [groups?.["key"], groups?.["value"]]),
  );
  for (const { key, default: value } of settings as readonly Setting[]) {
    const text = seen.get(key) ?? "";
    if (value === null) expect(text).toMatch(/^\[?TEXT\]?$/);
    else
      expect(configOf({ [key]: JSON.parse(text) as unknown }, "f").file).toBe(
        "f",
      );
  }
  expect(seen.size).toBe(settings.length);
});
