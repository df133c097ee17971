import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { sourceOf } from "../../debian/built-package.ts";
import { listOf } from "../../debian/blanks.ts";
import { parseDeb822 } from "../../debian/deb822.ts";
import { namesIn } from "../../files/names-in.ts";
import { findBase } from "../../session/find-layer.ts";
import type { Distribution, DistributionPackage } from "./distribution.ts";

/**
 * The distribution as the newest base of a series knows it: the package lists with which apt resolves
 * what builds and images need.
 *
 * @param layers the folder of the layers
 */
export function distributionOfBase(layers: string): Distribution {
  return {
    async find(series, names) {
      const base = await findBase(layers, series);
      if (base === undefined || names.size === 0) return [];
      const lists = join(base.root, "var/lib/apt/lists");
      const found: DistributionPackage[] = [];
      for (const name of await namesIn(lists))
        if (name.endsWith("_Packages"))
          found.push(
            ...packagesNamed(await readFile(join(lists, name)), names),
          );
      return found;
    },
  };
}

/**
 * The packages of a list of apt's that have one of these names, provide it, or are of that source. A list
 * has 50 MB and begins every stanza with Package: only the stanzas that are asked for are parsed.
 */
export function packagesNamed(
  list: Buffer,
  names: ReadonlySet<string>,
): DistributionPackage[] {
  const found: DistributionPackage[] = [];
  const source = fieldIn(list, "Source");
  const provides = fieldIn(list, "Provides");
  const start = "Package: ";
  let begin = list.subarray(0, start.length).equals(Buffer.from(start))
    ? 0
    : -1;
  if (begin < 0) begin = after(list.indexOf(`\n${start}`));
  while (begin >= 0) {
    const next = after(list.indexOf(`\n${start}`, begin));
    const end = next < 0 ? list.length : next;
    const name = lineAt(list, begin + start.length);
    const named = [
      name,
      ...(source(begin, end)?.split(" ", 1) ?? []),
      ...listOf(provides(begin, end) ?? ""),
    ];
    if (named.some((one) => names.has(one)))
      found.push(...packageIn(list.toString("utf8", begin, end)));
    begin = next;
  }
  return found;
}

/** Reads a field of stanza after stanza, each time from where the last search ended. */
function fieldIn(
  list: Buffer,
  field: string,
): (begin: number, end: number) => string | undefined {
  const wanted = `\n${field}: `;
  let at = list.indexOf(wanted);
  return (begin, end) => {
    if (at >= 0 && at < begin) at = list.indexOf(wanted, begin);
    return at < 0 || at >= end ? undefined : lineAt(list, at + wanted.length);
  };
}

function lineAt(list: Buffer, begin: number): string {
  const end = list.indexOf("\n", begin);
  return list.toString("latin1", begin, end < 0 ? list.length : end);
}

/** The place after a newline that was found, or -1. */
const after = (newline: number) => (newline < 0 ? -1 : newline + 1);

function packageIn(text: string): DistributionPackage[] {
  return parseDeb822(text).map((stanza) => {
    const name = stanza.get("Package") ?? "";
    const version = stanza.get("Version") ?? "";
    const own = sourceOf({
      name,
      version,
      source: stanza.get("Source") ?? null,
    });
    return {
      ...{ name, version, source: own.name, sourceVersion: own.version },
      provides: stanza.get("Provides") ?? "",
    };
  });
}
