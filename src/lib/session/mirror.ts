import { readFile } from "node:fs/promises";
import { join } from "node:path";

import {
  linesOf,
  parseDeb822,
  serialiseDeb822,
  stanzaOf,
} from "../debian/deb822.ts";
import type { Stanza } from "../debian/deb822.ts";
import { misconfigured } from "../domain/error.ts";
import type { Config } from "../config/config.ts";
import { exec, execOk } from "../host/exec.ts";
import { namesIn } from "../files/names-in.ts";
import { ifExists } from "../files/optional-file.ts";

/** Where the packages of a series come from. */
interface Mirror {
  /** deb822 sources, for binary packages. */
  readonly sources: string;
  /** apt.conf lines from this machine that are needed to reach the mirror. */
  readonly acquire: string;
  /** Packages that hold the keyrings named in the sources. */
  readonly keyringPackages: readonly string[];
}

/**
 * Sources of a series: from the configuration, else from the machine's own apt.
 *
 * @throws UbuntuCiError (78) when neither has that series
 */
export async function mirrorOf(
  series: string,
  config: Config,
): Promise<Mirror> {
  const url = config.get("mirror");
  const stanzas =
    url === null
      ? machineStanzas(await readAptSources(), series)
      : [configuredStanza(url, series, config)];
  if (stanzas.length === 0) {
    throw misconfigured(
      `no mirror of ${series} is known: this machine's apt sources do not have it`,
      "set `mirror` in the configuration",
    );
  }
  const keyrings = stanzas
    .map((stanza) => stanza.get("Signed-By") ?? "")
    .filter((value) => value.startsWith("/"));
  const owners = await Promise.all([...new Set(keyrings)].map(packageOwning));
  return {
    sources: serialiseDeb822(stanzas),
    acquire: carriedSettings(await execOk(["apt-config", "dump"])),
    keyringPackages: [...new Set(owners.flatMap((name) => name ?? []))],
  };
}

function configuredStanza(url: string, series: string, config: Config): Stanza {
  const keyring = config.get("mirrorKeyring");
  return stanzaOf([
    ["Types", "deb"],
    ["URIs", url],
    ["Suites", series],
    ["Components", config.get("components").join(" ")],
    ...(keyring === null ? [] : ([["Signed-By", keyring]] as const)),
  ]);
}

/** The stanzas for a series in apt's sources; one-line entries are converted. */
export function machineStanzas(
  files: readonly { readonly name: string; readonly text: string }[],
  series: string,
): Stanza[] {
  const pockets = ["", "-updates", "-security", "/updates"].map(
    (pocket) => `${series}${pocket}`,
  );
  return files
    .flatMap(({ name, text }) =>
      name.endsWith(".sources")
        ? parseDeb822(text, { comments: true })
        : oneLineStanzas(text),
    )
    .flatMap((stanza) => {
      const types = (stanza.get("Types") ?? "").split(/\s+/);
      const suites = (stanza.get("Suites") ?? "")
        .split(/\s+/)
        .filter((suite) => pockets.includes(suite));
      if (
        !types.includes("deb") ||
        suites.length === 0 ||
        /^no$/i.test(stanza.get("Enabled") ?? "yes")
      )
        return [];
      const changed = new Map([
        ["types", "deb"],
        ["suites", suites.join(" ")],
      ]);
      return stanzaOf(
        stanza.fields.map(([field, value]) => [
          field,
          changed.get(field.toLowerCase()) ?? value,
        ]),
      );
    });
}

/** sources.list(5), one-line style. */
function oneLineStanzas(text: string): Stanza[] {
  return linesOf(text).flatMap((line) => {
    const found = /^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*([^#]*)/.exec(
      line,
    );
    if (found === null) return [];
    const [, options = "", uri = "", suite = "", components = ""] = found;
    const signedBy = /(?:^|\s)signed-by=(\S+)/.exec(options)?.[1];
    return [
      stanzaOf([
        ["Types", "deb"],
        ["URIs", uri],
        ["Suites", suite],
        ["Components", components.trim()],
        ...(signedBy === undefined ? [] : ([["Signed-By", signedBy]] as const)),
      ]),
    ];
  });
}

/**
 * This machine's apt settings that may be needed to reach the mirror or be accepted by it.
 * Proxy-Auto-Detect is left out: its program does not exist in a session, so that apt would fail.
 */
export function carriedSettings(dump: string): string {
  const wanted =
    /^Acquire::(?:(?:http|https)::(?:Proxy(?!-)|Verify|CaInfo)|Check-Valid-Until|Check-Date|IndexTargets::\S+::DefaultEnabled)\b.* "[^"]*";$/;
  return dump
    .split("\n")
    .filter((line) => wanted.test(line) && !line.endsWith('"";'))
    .map((line) => `${line}\n`)
    .join("");
}

async function readAptSources(): Promise<{ name: string; text: string }[]> {
  const folder = "/etc/apt/sources.list.d";
  const names = (await namesIn(folder)).filter((name) =>
    /\.(?:list|sources)$/.test(name),
  );
  const files = await Promise.all(
    names.map(async (name) => ({
      name,
      text: await readFile(join(folder, name), "utf8"),
    })),
  );
  const main = await ifExists(readFile("/etc/apt/sources.list", "utf8"));
  return [{ name: "sources.list", text: main ?? "" }, ...files];
}

async function packageOwning(file: string): Promise<string | undefined> {
  const { stdout, exitCode } = await exec(["dpkg", "--search", file]);
  return exitCode === 0
    ? /^([a-z0-9][a-z0-9+.-]+)/.exec(stdout)?.[1]
    : undefined;
}
