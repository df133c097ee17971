import { accessSync, constants } from "node:fs";
import { join } from "node:path";

import { needsBases } from "../../backends/kinds.ts";
import { trimmed } from "../../debian/blanks.ts";
import { parseDeb822 } from "../../debian/deb822.ts";
import type { Config } from "../../config/config.ts";
import { describeEnd, exec, findTool } from "../../host/exec.ts";
import { mirrorOf } from "../../session/mirror.ts";
import { makeOwnFolder } from "../../files/own-folder.ts";
import { removeTree } from "../../session/remove-tree.ts";
import type { Diagnosis } from "./diagnosis.ts";
import { bad, badBecause, ok } from "./diagnosis.ts";
import { wantedSeries } from "../wanted-series.ts";

const helper = "/usr/lib/apt/apt-helper";

/** Whether the mirror of each series is known and reachable, and its keyring is installed. */
export async function mirrorFindings(
  config: Config,
  scratch: string,
): Promise<Diagnosis[]> {
  const series = wantedSeries(config);
  if (series.length === 0)
    return [
      bad(
        "mirror",
        "this machine does not say its series",
        "set `series` in the configuration",
      ),
    ];
  const found = [];
  for (const name of series) found.push(await mirror(name, config, scratch));
  return found;
}

async function mirror(
  series: string,
  config: Config,
  scratch: string,
): Promise<Diagnosis> {
  const name = `mirror of ${series}`;
  try {
    const { sources } = await mirrorOf(series, config);
    const stanzas = parseDeb822(sources);
    for (const stanza of stanzas) {
      const keyring = stanza.get("Signed-By")?.trim() ?? "";
      if (keyring.startsWith("/") && !isReadable(keyring))
        return bad(
          name,
          `its keyring ${keyring} is not there`,
          `as root: apt-get install ${keyring.includes("ubuntu") ? "ubuntu-keyring" : "debian-archive-keyring"}, or name another (\`mirrorKeyring\`)`,
        );
    }
    const indexes = stanzas.flatMap((stanza) => {
      const words = (field: string) =>
        (stanza.get(field) ?? "").split(/\s+/).filter((word) => word !== "");
      return words("URIs").flatMap((uri) =>
        words("Suites").map((suite) => indexOf(uri, suite)),
      );
    });
    // Only bases are made from the mirror.
    if (needsBases(config) && findTool(helper, "/") !== undefined)
      for (const url of new Set(indexes)) {
        const trouble = await unreachable(url, scratch);
        if (trouble !== null)
          return bad(
            name,
            trouble,
            "look at the network, and at apt's proxy (apt-config dump Acquire); or set another `mirror` in the configuration",
          );
      }
    const [first = "known"] = indexes;
    return ok(name, first.replace(/\/(?:dists\/.*|InRelease)$/, ""));
  } catch (thrown) {
    return badBecause(name, thrown, "set `mirror` in the configuration");
  }
}

/** URL of a suite's index. A suite that ends in a slash is an exact path (sources.list(5)). */
function indexOf(uri: string, suite: string): string {
  const base = trimmed(uri, "", "/");
  return suite.endsWith("/")
    ? `${base}/${suite === "/" ? "" : suite}InRelease`
    : `${base}/dists/${suite}/InRelease`;
}

/** Apt's reason why it cannot fetch a URL with this machine's settings, or null when it can. */
async function unreachable(
  url: string,
  scratch: string,
): Promise<string | null> {
  const folder = makeOwnFolder(scratch, "doctor");
  try {
    const argv = (from: string) => [
      ...[helper, "-o", "Acquire::Retries=0"],
      ...["-o", "Acquire::http::Timeout=10"],
      ...["-o", "Acquire::https::Timeout=10"],
      ...["download-file", from, join(folder, "index")],
    ];
    const result = await exec(argv(url), { timeoutMs: 30_000 });
    if (result.exitCode === 0) return null;
    // Some repositories have a detached signature instead.
    const older = await exec(argv(url.replace(/InRelease$/, "Release")), {
      timeoutMs: 30_000,
    });
    if (older.exitCode === 0) return null;
    const said = /^(?:E|W): (.*)$/m.exec(result.stderr)?.[1];
    return `does not answer: ${said ?? `apt-helper ${describeEnd(result)} for ${url}`}`;
  } finally {
    await removeTree(folder);
  }
}

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
