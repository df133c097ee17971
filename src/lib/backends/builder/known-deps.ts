import { createHash } from "node:crypto";
import { mkdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";

import { readStanza } from "../../debian/control-file.ts";
import { serialiseDeb822, stanzaOf } from "../../debian/deb822.ts";
import { withoutAlternatives } from "../../debian/relation.ts";
import { writeFileAtomic } from "../../files/atomic-file.ts";
import { namesIn } from "../../files/names-in.ts";
import { ifExists } from "../../files/optional-file.ts";
import type { Base } from "../../session/layer.ts";
import type { Session } from "../../session/session.ts";
import type { PublishedBinary } from "../published.ts";
import { toolFault } from "../verdict.ts";

/**
 * The build dependencies of a source on a base, as apt once resolved them. Recalling them saves the two
 * seconds that apt takes to read the distribution's lists.
 */
interface KnownDeps {
  /** The layer that holds them; null when the base has them all. */
  readonly layer: string | null;
  /** Packages installed then, and every package that they name: dependencies, conflicts, provides. */
  readonly names: readonly string[];
}

/** Every field of an installed package that names packages, for dpkg-query. */
const fields = [
  ...["Package", "Provides", "Pre-Depends", "Depends", "Recommends"],
  ...["Suggests", "Enhances", "Conflicts", "Breaks", "Replaces"],
];
const format = `${fields.map((field) => `\${${field}}`).join(",")}\\n`;

const packageNames = /[a-z0-9][a-z0-9+.-]+/g;

/** The Build-* fields of a .dsc, as one text. */
function wishesOf(dsc: string): string {
  const fields = readStanza(dsc, ".dsc", [])?.stanza.fields ?? [];
  return fields
    .filter(([name]) => /^build-/i.test(name))
    .map(([name, value]) => `${name.toLowerCase()}: ${value}\n`)
    .sort()
    .join("");
}

/**
 * A .dsc for apt to install build dependencies by: of alternatives it has those that a build daemon
 * considers, so that both builders build with the same packages. It is not signed.
 */
export function dscForApt(dsc: string, architecture: string): string {
  const read = readStanza(dsc, ".dsc", []);
  if (read === undefined) return dsc;
  const fields = read.stanza.fields.map(([name, value]) =>
    /^build-depends/i.test(name)
      ? ([name, withoutAlternatives(value, architecture)] as const)
      : ([name, value] as const),
  );
  return serialiseDeb822([stanzaOf(fields)]);
}

/** What a resolution depends on besides our own repositories: the base, and the source's Build-* fields. */
export function knownDepsKey(base: Pick<Base, "digest">, dsc: string): string {
  return (
    createHash("sha256")
      // Version 3 of the key: earlier records may include packages that are not the distribution's, or
      // alternatives other than the first.
      .update(`3\n${base.digest}\n${wishesOf(dsc)}`)
      .digest("hex")
  );
}

/**
 * Whether apt would resolve the same again with what our repositories publish now: none of their
 * packages has a name that took part in the resolution.
 *
 * @param dsc its Build-* fields name packages too, including alternatives that were not chosen
 */
export function stillHolds(
  known: KnownDeps,
  dsc: string,
  published: readonly Pick<
    PublishedBinary,
    "package" | "provides" | "essential"
  >[],
): boolean {
  const wishes = wishesOf(dsc).match(packageNames) ?? [];
  const names = new Set([...known.names, ...wishes]);
  return published.every(
    (binary) =>
      !binary.essential &&
      !names.has(binary.package) &&
      !(binary.provides.match(packageNames) ?? []).some((name) =>
        names.has(name),
      ),
  );
}

const folderOf = (layers: string): string => join(layers, ".known-deps");

/** The record under a key, or undefined. */
export async function recallDeps(
  layers: string,
  key: string,
): Promise<KnownDeps | undefined> {
  return readKnown(join(folderOf(layers), `${key}.json`));
}

async function readKnown(file: string): Promise<KnownDeps | undefined> {
  const text = await ifExists(readFile(file, "utf8"));
  return text === undefined ? undefined : (JSON.parse(text) as KnownDeps);
}

/** Records the resolution from a session that has the packages installed. */
export async function rememberDeps(
  layers: string,
  key: string,
  layer: string | null,
  session: Session,
): Promise<void> {
  const listed = await session.run(["dpkg-query", "-W", "-f", format]);
  if (listed.exitCode !== 0) throw toolFault("dpkg-query", listed);
  const names = [...new Set(listed.stdout.match(packageNames) ?? [])].sort();
  await mkdir(folderOf(layers), { recursive: true });
  await writeFileAtomic(
    join(folderOf(layers), `${key}.json`),
    JSON.stringify({ layer, names } satisfies KnownDeps),
  );
}

/** Removes records whose layer is gone, that need no layer and are older than a time (ms), or cannot be read. */
export async function forgetDeps(layers: string, since: number): Promise<void> {
  const kept = new Set(await namesIn(layers));
  for (const name of await namesIn(folderOf(layers))) {
    const file = join(folderOf(layers), name);
    const known = await readKnown(file).catch(() => undefined);
    const usable =
      known?.layer === null
        ? (await stat(file)).mtimeMs >= since
        : known?.layer !== undefined && kept.has(known.layer);
    if (!usable) await rm(file, { force: true });
  }
}
