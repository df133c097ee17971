import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { readStanza } from "../../debian/control-file.ts";
import { writeFileAtomic } from "../../files/atomic-file.ts";
import { describeEnd } from "../../host/exec.ts";
import { ifExists } from "../../files/optional-file.ts";
import type { Base } from "../../session/layer.ts";
import type { Session } from "../../session/session.ts";
import type { PublishedBinary } from "../published.ts";
import { ourFault } from "../verdict.ts";

/**
 * What the build dependencies of a source came to on a base when apt resolved them: reading the
 * distribution's lists again to find out the same takes apt two seconds.
 */
export interface KnownDeps {
  /** Name of the layer that has them; null when the base has them all. */
  readonly layer: string | null;
  /** The packages installed then, and all that they name: dependencies, conflicts, what they provide. */
  readonly names: readonly string[];
}

/** Of dpkg-query: every field that names a package. */
const format = `${[
  "Package",
  "Provides",
  "Pre-Depends",
  "Depends",
  "Recommends",
  "Suggests",
  "Enhances",
  "Conflicts",
  "Breaks",
  "Replaces",
]
  .map((field) => `\${${field}}`)
  .join(",")}\\n`;

const packageName = /[a-z0-9][a-z0-9+.-]+/g;

/** The Build- fields of a .dsc, in one text. */
function wishesOf(dsc: string): string {
  const fields = readStanza(dsc, ".dsc", [])?.stanza.fields ?? [];
  return fields
    .filter(([name]) => /^build-/i.test(name))
    .map(([name, value]) => `${name.toLowerCase()}: ${value}\n`)
    .sort()
    .join("");
}

/** What a resolution depends on besides our own repositories: the base, and the source's Build- fields. */
export function knownDepsKey(base: Pick<Base, "digest">, dsc: string): string {
  return (
    createHash("sha256")
      // The 2: notes of before may have been made of packages that are not the distribution's.
      .update(`2\n${base.digest}\n${wishesOf(dsc)}`)
      .digest("hex")
  );
}

/**
 * Whether it would come out the same with what our repositories publish now. It does when none of
 * their packages goes by a name that had a part in it: then apt has no reason to look at them.
 *
 * dsc: its Build- fields name packages too, also those of alternatives that were not taken.
 */
export function stillHolds(
  known: KnownDeps,
  dsc: string,
  published: readonly Pick<
    PublishedBinary,
    "package" | "provides" | "essential"
  >[],
): boolean {
  const wishes = wishesOf(dsc).match(packageName) ?? [];
  const names = new Set([...known.names, ...wishes]);
  return published.every(
    (binary) =>
      !binary.essential &&
      !names.has(binary.package) &&
      !(binary.provides.match(packageName) ?? []).some((name) =>
        names.has(name),
      ),
  );
}

const folderOf = (layers: string): string => join(layers, ".known-deps");

/** What is known under a key, or undefined. */
export async function recallDeps(
  layers: string,
  key: string,
): Promise<KnownDeps | undefined> {
  const file = join(folderOf(layers), `${key}.json`);
  const text = await ifExists(readFile(file, "utf8"));
  return text === undefined ? undefined : (JSON.parse(text) as KnownDeps);
}

/** Notes down what they came to, from a session that has them installed. */
export async function rememberDeps(
  layers: string,
  key: string,
  layer: string | null,
  session: Session,
): Promise<void> {
  const listed = await session.run(["dpkg-query", "-W", "-f", format]);
  if (listed.exitCode !== 0)
    throw ourFault(`dpkg-query ${describeEnd(listed)}: ${listed.stderr}`);
  const names = [...new Set(listed.stdout.match(packageName) ?? [])].sort();
  await mkdir(folderOf(layers), { recursive: true });
  await writeFileAtomic(
    join(folderOf(layers), `${key}.json`),
    JSON.stringify({ layer, names } satisfies KnownDeps),
  );
}
