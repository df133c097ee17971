import {
  aptVerdict,
  readPrintUris,
} from "../../src/lib/backends/apt-verdict.ts";
import { downgraded, overtaken } from "../../src/lib/backends/archive/admit.ts";
import type { PublishedPackage } from "../../src/lib/backends/archive/index-files.ts";
import {
  indexFilesOf,
  packagesIn,
} from "../../src/lib/backends/archive/index-files.ts";
import { explainingLine } from "../../src/lib/backends/builder/build-log.ts";
import {
  knownDepsKey,
  stillHolds,
} from "../../src/lib/backends/builder/known-deps.ts";
import { readSbuildSummary } from "../../src/lib/backends/builder/sbuild-summary.ts";
import {
  plannedListing,
  readManifest,
  listingDifference,
  wrongOrigin,
} from "../../src/lib/backends/imager/manifest.ts";
import { readPackages } from "../../src/lib/backends/published.ts";
import {
  declaredTests,
  readSummary,
  readTestEvent,
} from "../../src/lib/results/autopkgtest.ts";
import { isArchitecture } from "../../src/lib/debian/architecture.ts";
import { buildOrder } from "../../src/lib/debian/build-order.ts";
import { addressOf, readChanges } from "../../src/lib/debian/changes.ts";
import {
  packageName,
  withoutVersion,
} from "../../src/lib/debian/control-file.ts";
import {
  clearSigned,
  linesOf,
  parseDeb822,
  serialiseDeb822,
} from "../../src/lib/debian/deb822.ts";
import { readDsc } from "../../src/lib/debian/dsc.ts";
import {
  relationsOf,
  withoutAlternatives,
} from "../../src/lib/debian/relation.ts";
import {
  compareVersions,
  parseVersion,
  versionProblem,
} from "../../src/lib/debian/version.ts";
import { keysListed } from "../../src/lib/domain/openpgp/key.ts";
import {
  issuersOf,
  publicKeysOf,
  unarmoured,
} from "../../src/lib/domain/openpgp/packets.ts";
import { signatureVerdict } from "../../src/lib/domain/openpgp/verdict.ts";
import { mayUpload } from "../../src/lib/domain/package-rights.ts";
import {
  possibleNames,
  publishedNames,
} from "../../src/lib/domain/published-name.ts";
import { unknownLine } from "../../src/lib/domain/health.ts";
import { logText } from "../../src/lib/domain/log-text.ts";
import {
  oneLine,
  outputLine,
  shownJson,
  shownText,
  textOfLines,
  textProblem,
} from "../../src/lib/domain/shown-text.ts";
import { outputLines, splitLines } from "../../src/lib/domain/output-lines.ts";
import { redact } from "../../src/lib/domain/redact.ts";
import { parseStep } from "../../src/lib/domain/step.ts";
import { lastLines } from "../../src/lib/host/exec.ts";
import { lineFinder } from "../../src/lib/report/log-finder.ts";
import { lineHtml } from "../../src/lib/report/log-line.ts";
import { sectionFinder } from "../../src/lib/report/log-sections.ts";
import { parsePolicy } from "../../src/lib/shepherd/policy-file.ts";
import {
  checkDsc,
  checkSourceOnly,
  checkTogether,
} from "../../src/lib/tickets/admission/checks.ts";
import type { Admission } from "../../src/lib/tickets/admission/policy.ts";

/** What makes an input of about so many characters. */
export type Shape = (size: number) => string;

/** A parser or matcher of a text from outside, and the texts that are worst for one like it. */
export interface Reader {
  readonly name: string;
  readonly read: (text: string) => unknown;
  /** The text only says how many things there are; other shapes mean nothing to it. */
  readonly counts?: true;
  readonly shapes: Readonly<Record<string, Shape>>;
}

/** A piece again and again, between two others. */
export const run =
  (piece: string, before = "", behind = ""): Shape =>
  (size) =>
    before + piece.repeat(Math.ceil(size / piece.length)) + behind;

/** A line of each number up to so many characters. */
export const each =
  (line: (index: number) => string, before = "", behind = ""): Shape =>
  (size) => {
    const lines: string[] = [];
    for (let length = 0, index = 0; length < size; index += 1) {
      const next = line(index);
      lines.push(next);
      length += next.length;
    }
    return before + lines.join("") + behind;
  };

/** Pieces that patterns begin, go on or end with; each reader is given runs of each. */
const pieces = [
  ...[" ", "\t", "\n", "\r", "\r\n", " \n", "\u00a0", "\u2028", "\ufeff", "\0"],
  ...["a", "A", "0", "00.", "a ", "a\n", "a:", "a: ", "a: b\n\n", " a\n", "é"],
  ...["(", " (", ")", "()", "<", ">", "<a", "<a>", "[", "]", "{", "#", "##\r"],
  ...[
    "-",
    "--",
    "~",
    "+",
    ".",
    "..",
    "/",
    "//",
    ":",
    "::",
    ",",
    ", ",
    "|",
    "@",
  ],
  ...["'", '"', "`", "\\", "=", ";", "&", "%", "%3", "*", "_", "a_"],
  ...["\u001b[", "\ud83d", "\ufffd", "-----", "a://", "PASS ", "error: "],
];

const generic: Readonly<Record<string, Shape>> = Object.fromEntries(
  pieces.map((piece) => [
    `a run of ${JSON.stringify(piece)}`,
    run(piece, "x", "x"),
  ]),
);

const sha = "a".repeat(64);
const fieldsOfChanges: Readonly<Record<string, string>> = {
  Format: "1.8",
  Date: "Thu, 01 Jan 2026 00:00:00 +0000",
  Source: "hello",
  Version: "1-1",
  Architecture: "source",
  Distribution: "bookworm",
  Maintainer: "A <a@example.com>",
  "Changed-By": "A <a@example.com>",
  Changes: "\n hello",
  "Checksums-Sha256": `\n ${sha} 1 hello.dsc`,
  Files: `\n ${"a".repeat(32)} 1 misc optional hello.dsc`,
};
const fieldsOfDsc: Readonly<Record<string, string>> = {
  Format: "3.0 (quilt)",
  Source: "hello",
  Binary: "hello",
  Architecture: "any",
  Version: "1-1",
  Maintainer: "A <a@example.com>",
  Testsuite: "autopkgtest",
  "Build-Depends": "debhelper-compat (= 13)",
  "Package-List": "\n hello deb misc optional arch=any",
  "Checksums-Sha256": `\n ${sha} 1 hello.tar.xz`,
  Files: `\n ${"a".repeat(32)} 1 hello.tar.xz`,
};

/** A control file in which one field is what the shape says. */
const inField =
  (
    fields: Readonly<Record<string, string>>,
    name: string,
    shape: Shape,
  ): Shape =>
  (size) =>
    Object.entries({ ...fields, [name]: shape(size) })
      .map(([field, value]) => `${field}: ${value}\n`)
      .join("");

const inEveryField = (
  fields: Readonly<Record<string, string>>,
): Record<string, Shape> =>
  Object.fromEntries(
    Object.keys(fields).flatMap((name) =>
      [" ", " (", "a", "a ", "\t", "<", ",", "\n x", "\n x y z"].map(
        (piece) => [
          `${name} of ${JSON.stringify(piece)}`,
          inField(fields, name, run(piece, "x", "x")),
        ],
      ),
    ),
  );

const manyFiles = (fields: Readonly<Record<string, string>>): Shape => {
  return (size) => {
    const count = Math.ceil(size / 200);
    const names = Array.from({ length: count }, (_, index) => `f${index}.xz`);
    const list = (sum: string) =>
      names.map((name) => `\n ${sum} 1 ${name}`).join("");
    return Object.entries({
      ...fields,
      "Checksums-Sha256": list(sha),
      Files: list("a".repeat(32)),
    })
      .map(([field, value]) => `${field}: ${value}\n`)
      .join("");
  };
};

const admission = (): Admission => ({
  policy: {
    knownSeries: ["bookworm"],
    series: null,
    signatures: "optional",
    maxFileBytes: 0,
    maxFiles: 0,
    maxTotalBytes: 0,
    uploaders: "/nonexistent",
    suites: {},
    architecture: "amd64",
    archiveBinary: () => Promise.resolve(null),
    archiveFile: () => Promise.resolve(null),
    otherFileInFlight: () => null,
    archiveVersion: () => null,
    inFlight: () => null,
  },
  budget: { bytes: 0, files: 0 },
  problems: [],
});

const problemsOf = <T>(read: (problems: never[]) => T) => read([]);

const held = (text: string): PublishedPackage[] =>
  linesOf(text).map((name) => ({
    ...{ kind: "binary", name, version: "1", architecture: "all" },
    ...{ source: "x", files: [] },
  }));

const installed = (text: string) =>
  linesOf(text).map((name) => ({
    ...{ package: name, version: "1", architecture: "all", from: "x" },
    ...{
      filename: `${name}.deb`,
      provides: "",
      conflicts: "",
      depends: "",
      essential: false,
    },
  }));

const begin = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n";

const names = each((index) => `p${index}\n`);

/** Every parser and matcher that sees texts from outside. */
export const readers: readonly Reader[] = [
  {
    name: "parseDeb822",
    read: (text) => serialiseDeb822(parseDeb822(text)),
    shapes: {
      "a value behind blanks": run(" ", "A:", "b"),
      "a value with blanks in it": run(" ", "A: a", "b"),
      "blanks behind a value": run(" \t", "A: a", "\n"),
      "many fields": each((index) => `F${index}: x\n`),
      "many stanzas": run("A: b\n\n"),
      "a long field": run(" x\n", "A:\n"),
      "carriage returns": run("\r", "A: a", "\n"),
      "a long name": run("a", "", ": x"),
    },
  },
  {
    name: "parseDeb822 with comments",
    read: (text) => parseDeb822(text, { comments: true }),
    shapes: { comments: run("#\n", "A: b\n") },
  },
  {
    name: "readChanges",
    read: (text) => problemsOf((problems) => readChanges(text, "x", problems)),
    shapes: {
      ...inEveryField(fieldsOfChanges),
      "many files": manyFiles(fieldsOfChanges),
      "files without sums": inField(
        fieldsOfChanges,
        "Files",
        each((index) => `\n ${"a".repeat(32)} 1 a b f${index}`),
      ),
    },
  },
  {
    name: "readDsc",
    read: (text) =>
      problemsOf((problems) => readDsc(Buffer.from(text), "x", problems)),
    shapes: {
      ...inEveryField(fieldsOfDsc),
      "many files": manyFiles(fieldsOfDsc),
      "many binaries": inField(
        fieldsOfDsc,
        "Binary",
        each((index) => `, b${index}`, "b"),
      ),
      "many udebs": inField(
        fieldsOfDsc,
        "Package-List",
        each((index) => `\n b${index} udeb x y`),
      ),
    },
  },
  {
    name: "the files of a .dsc beside those of its .changes",
    counts: true,
    read: async (text) => {
      const changes = readChanges(text, "x", []);
      const dsc = readDsc(
        text.replace("Source:", "Binary: x\nSource:"),
        "x",
        [],
      );
      if (changes === undefined || dsc === undefined) throw new Error(text);
      checkSourceOnly(changes, "x", []);
      const place = {
        path: "/nonexistent/x",
        folder: "/nonexistent",
        staged: [],
      };
      await checkDsc(dsc, "x", changes, place, admission());
    },
    shapes: { "many files": manyFiles(fieldsOfChanges) },
  },
  {
    name: "uploads of one ticket",
    counts: true,
    read: (text) => {
      const lines = linesOf(text);
      const half = lines.length / 2;
      checkTogether(
        [lines.slice(0, half), lines.slice(half)].map((files, index) => ({
          ...{ source: `s${index}`, series: "bookworm", changesName: "x" },
          files: files.map((name) => ({ name, path: "", size: 1, sha256: "" })),
        })),
        [],
      );
    },
    shapes: { "many files": names },
  },
  {
    name: "withoutVersion",
    read: withoutVersion,
    shapes: { brackets: run(" (", "a", "\n)"), closed: run(" ()") },
  },
  {
    name: "addressOf",
    read: addressOf,
    shapes: {
      blanks: run(" ", "<a>", "x"),
      "many addresses": run("<a> "),
      open: run("<a", "", ">"),
    },
  },
  {
    name: "packageName",
    read: (text) => packageName.test(text),
    shapes: { long: run("a", "", "!") },
  },
  {
    name: "relationsOf",
    read: (text) => relationsOf(text, "amd64"),
    shapes: {
      blanks: run(" ", "a", "b"),
      "a version": run("1", "a (= ", ")"),
      "an open version": run("( ", "a "),
      profiles: run("<x> ", "a "),
      "open profiles": run("<", "a "),
      "profiles and more": run("<!x> ", "a ", "x"),
      "negated profiles": run("<!x !", "a ", ">"),
      architectures: run("!b ", "a [", "]"),
      "open architectures": run("[b ", "a "),
      colons: run(":a", "a"),
      alternatives: run("a (>= 1) | "),
    },
  },
  {
    name: "withoutAlternatives",
    read: (text) => withoutAlternatives(text, "amd64"),
    shapes: {
      bars: run("|"),
      alternatives: run("a (>= 1) | "),
      "the same package": run("a | a,"),
      relations: run("a, "),
    },
  },
  {
    name: "isArchitecture",
    read: (text) => isArchitecture("amd64", text),
    shapes: { dashes: run("-", "any"), wildcards: run("any-", "", "amd64") },
  },
  {
    name: "versions",
    read: (text) => [
      versionProblem(text),
      parseVersion(text),
      compareVersions(text, `${text}1`),
    ],
    shapes: {
      digits: run("1"),
      zeroes: run("0", "1:", "-1"),
      tildes: run("~", "1"),
      dashes: run("1-"),
      colons: run("1:"),
      turns: run("1a"),
    },
  },
  {
    name: "buildOrder",
    counts: true,
    read: (text) =>
      buildOrder(
        linesOf(text).map((source, index) => ({
          source,
          binaries: [source],
          buildDepends: index === 0 ? "" : `p${index - 1}`,
        })),
        "amd64",
      ),
    shapes: { "a chain": names },
  },
  {
    name: "declaredTests",
    read: declaredTests,
    shapes: {
      "many tests": run("a ", "Tests: "),
      comments: run("#", "Tests: a ", "\u2028"),
      "comments without an end": run("# ", "Tests: a", "\rx"),
      depends: run(" ", "Tests: a\nDepends: a", "b"),
      stanzas: run("Test-Command: a\n\n"),
    },
  },
  {
    name: "readTestEvent",
    read: readTestEvent,
    shapes: {
      name: run(": ", "autopkgtest [00:00:00]: test "),
      colons: run(":", "autopkgtest [00:00:00]: test a", " [--"),
      dashes: run("-", "autopkgtest [00:00:00]: test a: [", "x"),
    },
  },
  {
    name: "readSummary",
    read: readSummary,
    shapes: {
      "blanks behind a name": run(" ", "a", "x"),
      "a name": run("a", "", "\u2028"),
      "a detail": run("(", "a FAIL (", ")\u2028"),
      tests: run("a PASS\n"),
      "bad packages": run("a FAIL badpkg\nbadpkg: x\n"),
      blames: run("blame: x\n"),
    },
  },
  {
    name: "aptVerdict",
    read: aptVerdict,
    shapes: {
      but: run("but "),
      "but many times on one line": run("but it is to be "),
      versions: run("version "),
      dependencies: run("dependency "),
      "all at once": run("dependency but version "),
      "depending lines": run("a : Depends: b but\n"),
      errors: run("E: x\n"),
      "not enough": run("not enough free disk "),
    },
  },
  {
    name: "readPrintUris",
    read: readPrintUris,
    shapes: {
      quotes: run("'", "'", " a 1 b"),
      digits: run(" 1", "'a' b"),
      underlines: run("_", "'a' ", " 1 x"),
      suffixes: run(".udeb", "'a' a_1_all", " 1 x"),
      lines: each((index) => `'a' p${index}_1_all.deb 1 SHA256:x\n`),
    },
  },
  {
    name: "explainingLine",
    read: explainingLine,
    shapes: {
      makes: run("make[1"),
      "one make": run("1", "make["),
      "debhelper's": run("a", "dh"),
      full: run("No space left on "),
    },
  },
  {
    name: "lineHtml",
    read: lineHtml,
    shapes: {
      colours: run("\u001b[31mx"),
      "colours of nothing": run("\u001b[31m"),
      "sequences that do not end": run("\u001b["),
      "numbers that do not end": run("1;", "\u001b["),
      "states of a line": run("\u001b[1mx\r"),
      links: run("\u001b]8;;"),
    },
  },
  {
    name: "sectionFinder and lineFinder",
    read: (text) => {
      const sections = sectionFinder();
      const finder = lineFinder({ reasons: [text.slice(0, 300)], tests: [] });
      for (const [at, line] of text.split("\n").entries()) {
        sections.line(line, at + 1);
        finder.line(line, at + 1);
      }
      sections.end(text.split("\n").length);
    },
    shapes: {
      "debhelper's commands": run("\n   dh_x"),
      "a long command": run("a", "   dh_", "\r"),
      "a long title": run(" |", "+--------------------+\n| a", "x"),
      titles: run("\n+--------------------+\n| a |"),
      "a long stamp": run(" results", "autopkgtest [00:00:00]: test a: "),
      results: run("\na PASS", "autopkgtest [00:00:00]: x"),
      "a long name": run("a", "autopkgtest [00:00:00]: x\n", " PAS"),
    },
  },
  {
    name: "readSbuildSummary",
    read: (text) => readSbuildSummary(text, 1),
    shapes: {
      statuses: run("Status: x\n"),
      blanks: run(" ", "Status:", "x\u2028"),
      stages: run("Fail-Stage: install-deps\n"),
      "apt's words": run("but ", "Fail-Stage: install-deps\n"),
    },
  },
  {
    name: "readManifest and wrongOrigin",
    counts: true,
    read: (text) => {
      const found = installed(text);
      const repository = { name: "x", binaries: found };
      const listing = found.map(
        ({ package: name }) => `${name}\t1\tall\tii \n`,
      );
      const manifest = readManifest(listing.join(""), "bookworm", found, [
        repository,
      ]);
      return wrongOrigin(manifest, linesOf(text), repository);
    },
    shapes: { "many packages": names },
  },
  {
    name: "readPackages",
    read: readPackages,
    shapes: {
      packages: each((index) => `Package: p${index}\nVersion: 1\n\n`),
      blanks: run(" ", "Package:", "x"),
      "an essential one": run(" ", "Package: a\nEssential:", "yes\u2028"),
      "empty lines": run("\n", "Package: a"),
    },
  },
  {
    name: "index files",
    read: (text) => [
      indexFilesOf(text),
      packagesIn(text, "binary"),
      packagesIn(text, "source"),
    ],
    shapes: {
      packages: each(
        (index) =>
          `Package: p${index}\nVersion: 1\nArchitecture: all\nFilename: x\nSize: 1\nSHA256: x\nDirectory: x\nChecksums-Sha256:\n a 1 b\n\n`,
      ),
      "a long list": run(
        "\n a 1 b",
        "Package: p\nVersion: 1\nArchitecture: all\nFilename: x\nSize: 1\nSHA256: x\nDirectory: x\nChecksums-Sha256:",
      ),
    },
  },
  {
    name: "what an archive holds",
    counts: true,
    read: (text) => [
      downgraded(held(text), held(text.replaceAll("p", "q"))),
      overtaken(
        held(text).map((one) => ({ ...one, dsc: "" })),
        held(text),
      ),
    ],
    shapes: { "many packages": names },
  },
  {
    name: "build dependencies",
    read: (text) => [
      knownDepsKey({ digest: "x" }, text),
      stillHolds({ layer: null, names: [] }, text, installed(text)),
    ],
    shapes: {
      names: each((index) => `\n p${index}`, "Build-Depends:"),
      blanks: run(" ", "Build-Depends: a", "b"),
      fields: each((index) => `Build-X${index}: a\n`),
    },
  },
  {
    name: "redact",
    read: (text) => redact(text, ["a secret"]),
    shapes: {
      "keys begin": run("-----BEGIN "),
      "a key's label": run("PRIVATE KEY", "-----BEGIN "),
      "a key's end": run("-----END PRIVATE KEY", "-----BEGIN PRIVATE KEY-----"),
      "a label in the end": run(
        "PRIVATE KEY ",
        "-----BEGIN PRIVATE KEY----------END ",
      ),
      schemes: run("a.a-a+"),
      addresses: run("a://a:"),
      authorization: run("authorization "),
      "authorization and blanks": run(" ", "authorization: a", "\n"),
      passwords: run("password"),
      "blanks behind a password": run(" ", "password", "x"),
      "bearer and blanks": run(" ", "bearer", "x"),
      bearers: run("bearer aaaaaaa "),
    },
  },
  {
    name: "lines of an output",
    read: (text) => {
      let count = 0;
      const lines = splitLines(() => (count += 1));
      for (let at = 0; at < text.length; at += 1000)
        lines.push(text.slice(at, at + 1000));
      lines.end();
      for (const line of outputLines(text)) count += line.length;
      return [count, lastLines(text)];
    },
    shapes: { "no end": run("a"), "empty lines": run("\n", "x", "x") },
  },
  {
    name: "one line for people",
    read: (text) => [
      oneLine(text),
      shownText(text),
      outputLine(text),
      shownJson(text),
      textProblem(text, "one"),
      textOfLines(text.split("\n")),
      unknownLine(text),
      logText({
        ...{ at: "2026-01-01T00:00:00.000Z", id: 1, actor: "a" },
        ...{ subject: "ticket", subject_id: "1", ticket: 1, step: null },
        ...{ run: null, what: text, from: null, to: null, why: text },
      }),
    ],
    shapes: { "what is hidden": run("\u001b"), tags: run("\u{e0001}") },
  },
  {
    name: "clear-signed messages",
    read: (text) => {
      const found = clearSigned(text);
      return found && issuersOf(unarmoured(found.signature));
    },
    shapes: {
      "blanks at the ends of lines": run(" ", begin, "x"),
      "a blank line of many": run(" ", `${begin}\n`, "\nx"),
      "many ends": run("-----END PGP SIGNATURE-----\n", begin),
      "many beginnings": run("-----BEGIN PGP SIGNED MESSAGE-----\n"),
      "dashes escaped": run("- - \n", `${begin}\n`),
      "a long signature": run(
        "a\n",
        `${begin}\nx\n-----BEGIN PGP SIGNATURE-----\n\n`,
        "-----END PGP SIGNATURE-----\n",
      ),
      "its headers": run(
        "A: b\n",
        `${begin}\nx\n-----BEGIN PGP SIGNATURE-----\n`,
        "\n-----END PGP SIGNATURE-----\n",
      ),
    },
  },
  {
    name: "packets",
    read: (text) => publicKeysOf(Buffer.from(text, "latin1")),
    shapes: {
      "empty ones": run("\u0098\0"),
      keys: run("\u0098\u0008\u0004\0\0\0\0\u0001\u0001\u0001"),
    },
  },
  {
    name: "gpg's listing and gpgv's status",
    read: (text) => [keysListed(text), signatureVerdict(text, 0, 0)],
    shapes: {
      keys: run("pub:\nfpr:\nuid:\nsub:\nfpr:\n"),
      subkeys: run("sub:\nfpr:\n", "pub:\n"),
      names: run("uid:r:::::::\\x5c\n", "pub:\n"),
      statuses: run("[GNUPG:] GOODSIG x\n"),
    },
  },
  {
    name: "names of published files",
    read: (text) => {
      const all = [...new Set(text.split("\n"))];
      return [publishedNames(all), all.map(possibleNames)];
    },
    shapes: {
      dots: run(".a"),
      "many names": each((index) => `a${index}.html\n`),
      "names alike": each((index) => `a.${"?!"[index % 2] ?? ""}${index}\n`),
    },
  },
  {
    name: "mayUpload",
    read: (text) => mayUpload([`${"*a".repeat(60)}b`], text),
    shapes: { stars: run("a") },
  },
  {
    name: "plannedListing",
    counts: true,
    read: (text) => {
      const wanted = installed(text);
      const listing = wanted
        .map(({ package: name }) => `${name}\t0\tamd64\tii \n`)
        .join("");
      const planned = plannedListing(listing, wanted, []);
      return listingDifference(planned, listing);
    },
    shapes: { "many packages": names },
  },
  { name: "parseStep", read: parseStep, shapes: {} },
  {
    name: "parsePolicy",
    read: (text) => parsePolicy(text, "x"),
    shapes: {
      "many rules": run("  - requirement: image\n", "rules:\n"),
      "many names": run(
        '"*", ',
        "rules:\n- { requirement: image, series: [",
        "x] }",
      ),
      "many keys": each((index) => `k${index}: x\n`),
      "many aliases": run(", *a", "a: &a [x]\nrules: [*a", "]"),
    },
  },
];

/** The runs of pieces that every reader of texts is given. */
export function runsFor(reader: Reader): [string, Shape][] {
  return reader.counts === true ? [] : Object.entries(generic);
}
