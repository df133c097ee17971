import { execFileSync, spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import {
  parseDeb822,
  serialiseDeb822,
  stanzaOf,
  type Stanza,
} from "../src/lib/debian/deb822.ts";
import { readDsc } from "../src/lib/debian/dsc.ts";
import { relationsOf } from "../src/lib/debian/relation.ts";
import { compareVersions, versionProblem } from "../src/lib/debian/version.ts";
import type { Problem } from "../src/lib/domain/error.ts";
import { configOf } from "../src/lib/config/config.ts";
import { mirrorOf } from "../src/lib/session/mirror.ts";
import { greeter, writeSource } from "./support/tiny-package.ts";

// What our parsers make of everything that Debian has. The index is too large to be kept here: it is
// the mirror's own, fetched by apt into a folder that is thrown away.

const series = "bookworm";
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "index-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The text of the mirror's index of source packages, or why there is none. */
async function fetchSources(): Promise<{ text: string } | { because: string }> {
  const { sources, acquire } = await mirrorOf(series, configOf({}, null));
  const lists = join(folder, "lists");
  mkdirSync(join(lists, "partial"), { recursive: true });
  // The release itself, not its updates: that is where everything is.
  const [stanza] = parseDeb822(sources);
  if (stanza === undefined) return { because: "no mirror is known" };
  const changed: Readonly<Record<string, string>> = {
    types: "deb-src",
    suites: series,
  };
  const file = join(folder, "mirror.sources");
  writeFileSync(
    file,
    serialiseDeb822([
      stanzaOf(
        stanza.fields.map(([name, value]) => [
          name,
          changed[name.toLowerCase()] ?? value,
        ]),
      ),
    ]),
  );
  const config = join(folder, "apt.conf");
  writeFileSync(
    config,
    `Dir::State::lists "${lists}";
Dir::Cache "${folder}";
Dir::Etc::sourcelist "${file}";
Dir::Etc::sourceparts "/dev/null";
Acquire::Languages "none";
${acquire}`,
  );
  const updated = spawnSync("apt-get", ["update", "-q", "--error-on=any"], {
    env: { ...process.env, APT_CONFIG: config },
    encoding: "utf8",
  });
  if (updated.status !== 0) return { because: updated.stderr };
  const indexes = readdirSync(lists).filter((name) => /_Sources/.test(name));
  const text = execFileSync(
    "/usr/lib/apt/apt-helper",
    ["cat-file", ...indexes.map((name) => join(lists, name))],
    { encoding: "utf8", maxBuffer: 1024 ** 3 },
  );
  return { text };
}

function expectEachTheSame(text: string): Stanza[] {
  // Blanks at the end of a line mean nothing (deb822(5)); Sources has them after `Package-List:`.
  const wanted = `${text.replace(/[ \t]+$/gm, "").trimEnd()}\n`;
  const different = wanted
    .split(/\n\n+/)
    .map((stanza) => `${stanza.trimEnd()}\n`)
    .filter((stanza) => serialiseDeb822(parseDeb822(stanza)) !== stanza);
  expect(different.slice(0, 3)).toEqual([]);
  const stanzas = parseDeb822(text);
  expect(serialiseDeb822(stanzas) === wanted).toBe(true);
  return stanzas;
}

/** A stanza of Sources as the .dsc it was made from: Package was Source there. */
const dscOf = (stanza: Stanza): string =>
  serialiseDeb822([
    stanzaOf(
      stanza.fields.map(([name, value]) => [
        name === "Package" ? "Source" : name,
        value,
      ]),
    ),
  ]);

function expectReadable(stanzas: readonly Stanza[]): void {
  const problems: Problem[] = [];
  const unread: string[] = [];
  for (const stanza of stanzas) {
    const name = `${stanza.get("Package") ?? ""} ${stanza.get("Version") ?? ""}`;
    const dsc = readDsc(dscOf(stanza), name, problems);
    if (dsc === undefined || dsc.files.length < 2) unread.push(name);
    else if (
      dsc.buildDepends !== "" &&
      relationsOf(dsc.buildDepends, "amd64").length === 0
    )
      unread.push(`${name}: ${dsc.buildDepends}`);
  }
  expect(problems.slice(0, 10)).toEqual([]);
  expect(unread.slice(0, 10)).toEqual([]);
}

describe("an index of source packages", () => {
  test("dpkg-scansources' own", async () => {
    const pool = join(folder, "pool");
    mkdirSync(pool);
    for (const [index, name] of ["one", "two", "three"].entries())
      await writeSource(pool, greeter(name, `1:${index}.0~rc1`));
    const text = execFileSync("dpkg-scansources", ["pool"], {
      cwd: folder,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    const stanzas = expectEachTheSame(text);
    expect(stanzas.map((stanza) => stanza.get("package")).sort()).toEqual([
      "one",
      "three",
      "two",
    ]);
    expectReadable(stanzas);
  });

  test("the whole of Debian's, and the order of its versions is dpkg's", async (context) => {
    const fetched = await fetchSources();
    if ("because" in fetched) {
      context.skip(`the mirror gives no index of sources: ${fetched.because}`);
      return;
    }
    const stanzas = expectEachTheSame(fetched.text);
    expect(stanzas.length).toBeGreaterThan(1000);
    expectReadable(stanzas);

    const versions = [
      ...new Set(stanzas.map((stanza) => stanza.get("Version") ?? "")),
    ];
    expect(
      versions.filter((version) => versionProblem(version) !== undefined),
    ).toEqual([]);
    // One dpkg for all pairs would be a process each: its own library compares them.
    const sorted = versions.sort(compareVersions);
    const wrong = execFileSync(
      "perl",
      [
        "-MDpkg::Version",
        "-e",
        'my $last; while (my $version = <STDIN>) { chomp $version; print "$last $version\\n" if defined $last && version_compare($last, $version) > 0; $last = $version }',
      ],
      { input: `${sorted.join("\n")}\n`, encoding: "utf8" },
    );
    expect(wrong).toBe("");
  });
});
