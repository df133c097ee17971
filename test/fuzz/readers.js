// Every parser of the program that sees texts from outside, and what must hold of what it returns.
import assert from "node:assert/strict";
import { join, resolve } from "node:path";

const dist = resolve(import.meta.dirname, "../../dist/lib");
const load = (path) => import(join(dist, path));

const [
  { addressOf, readChanges },
  { packageName, withoutVersion },
  { clearSigned, Deb822Error, parseDeb822, serialiseDeb822 },
  { parseDsc, readDsc },
  { relationsOf, withoutAlternatives },
  { compareVersions, parseVersion, versionProblem },
  { declaredTests, readSummary, readTestEvent },
  { UbuntuCiError },
  { unknownLine },
  { logText },
  { oneLine, outputLine, shownJson, shownText, textOfLines, textProblem },
  { lineLimit, outputLines, splitLines },
  { redact },
  { parseStep },
  { aptVerdict, readPrintUris },
  { indexFilesOf, packagesIn },
  { explainingLine },
  { knownDepsKey, stillHolds },
  { readSbuildSummary },
  { readManifest },
  { readPackages },
  { parseLogLine },
  { lastLines },
  { keysListed },
  { issuersOf, publicKeysOf, unarmoured },
  { signatureVerdict },
  { isDownload, packageFolder, possibleNames, publishedNames },
  { lineHtml, lineText },
  { sectionFinder },
  { writtenPolicy },
  { parsePolicy },
] = await Promise.all(
  [
    "debian/changes.js",
    "debian/control-file.js",
    "debian/deb822.js",
    "debian/dsc.js",
    "debian/relation.js",
    "debian/version.js",
    "results/autopkgtest.js",
    "domain/error.js",
    "domain/health.js",
    "domain/log-text.js",
    "domain/shown-text.js",
    "domain/output-lines.js",
    "domain/redact.js",
    "domain/step.js",
    "backends/apt-verdict.js",
    "backends/archive/index-files.js",
    "backends/builder/build-log.js",
    "backends/builder/known-deps.js",
    "backends/builder/sbuild-summary.js",
    "backends/imager/manifest.js",
    "backends/published.js",
    "host/log-file.js",
    "host/exec.js",
    "domain/openpgp/key.js",
    "domain/openpgp/packets.js",
    "domain/openpgp/verdict.js",
    "domain/published-name.js",
    "report/log-line.js",
    "report/log-sections.js",
    "domain/policy-check.js",
    "shepherd/policy-file.js",
  ].map(load),
);

/** A name that means one file in a folder, whatever reads it. */
const plainName = /^[A-Za-z0-9][A-Za-z0-9+.:~_-]*$/;
// eslint-disable-next-line no-control-regex -- they are what must not be there
const controls = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/** What holds of every control file that nothing is found wrong with. */
export function checkControlFile({ source, version, files, signed }) {
  assert.match(source, packageName);
  assert.equal(versionProblem(version), undefined);
  assert.equal(typeof signed, "boolean");
  const names = new Set();
  for (const { name, size, sha256 } of files) {
    assert.match(name, plainName);
    assert.ok(!names.has(name), `${name} is there twice`);
    names.add(name);
    assert.ok(Number.isSafeInteger(size) && size >= 0);
    assert.match(sha256, /^[0-9a-f]{64}$/);
  }
}

function controlFile(read) {
  return (bytes) => {
    const problems = [];
    const found = read(bytes, "x", problems);
    if (found === undefined || problems.length > 0) {
      assert.ok(problems.length > 0, "nothing is said of what is wrong");
      assert.ok(problems.length < 1000, "too much is said");
      return false;
    }
    checkControlFile(found);
    // What is taken as bytes is taken as a text, too.
    const again = [];
    assert.deepEqual(read(bytes.toString("utf8"), "x", again), found);
    assert.deepEqual(again, []);
    return true;
  };
}

/** Errors that a reader may throw are its own way of refusing. */
const refusing = (read, ...kinds) => {
  return (text) => {
    try {
      return read(text) ?? true;
    } catch (thrown) {
      if (kinds.some((kind) => thrown instanceof kind)) return false;
      throw thrown;
    }
  };
};

/** Templates of bytes are written in hexadecimal digits, of which mutations leave most. */
const fromHex = (bytes) => Buffer.from(bytes.toString("latin1"), "hex");

const isSorted = (list) =>
  list.every((one, index) => index === 0 || list[index - 1] <= one);

const fieldsOf = (stanzas) => stanzas.map(({ fields }) => fields);

/**
 * Each reader: the texts it is given, whether as bytes, and what it does with one. That is false for
 * a text that is refused, and throws for whatever must not be.
 */
export const readers = [
  {
    name: "deb822",
    of: "deb822",
    read: refusing((text) => {
      const stanzas = parseDeb822(text);
      for (const { fields, get } of stanzas) {
        assert.ok(fields.length > 0);
        for (const [name, value] of fields) {
          assert.match(name, /^[!-9;-~]+$/);
          assert.equal(get(name.toUpperCase()), value);
        }
      }
      const again = parseDeb822(serialiseDeb822(stanzas));
      assert.deepEqual(fieldsOf(again), fieldsOf(stanzas));
    }, Deb822Error),
  },
  {
    name: "changes",
    of: "changes",
    bytes: true,
    read: controlFile(readChanges),
  },
  { name: "dsc", of: "dsc", bytes: true, read: controlFile(readDsc) },
  {
    name: "dsc's names",
    of: "dsc",
    bytes: true,
    read: refusing((bytes) => {
      const { binaries } = parseDsc(bytes, "x");
      for (const name of binaries) assert.match(name, packageName);
    }, UbuntuCiError),
  },
  {
    name: "relations",
    of: "relations",
    read: (text) =>
      relationsOf(text, "amd64").every(({ name }) => {
        assert.match(name, /^[a-z0-9][a-z0-9+.-]*$/);
        // What is left without alternatives reads the same once more.
        const once = withoutAlternatives(text, "amd64");
        assert.equal(withoutAlternatives(once, "amd64"), once);
        return true;
      }),
  },
  {
    name: "versions",
    of: "version",
    read: (text) => {
      if (versionProblem(text) !== undefined) return false;
      const { epoch, upstream, revision } = parseVersion(text);
      const joined = `${epoch}:${upstream}${revision === "" ? "" : `-${revision}`}`;
      assert.equal(compareVersions(joined, text), 0);
      assert.equal(
        Math.sign(compareVersions(text, "1.0-1")),
        -Math.sign(compareVersions("1.0-1", text)) || 0,
      );
    },
  },
  {
    name: "people and sources",
    of: "person",
    read: (text) => {
      assert.ok(!/[<>]/.test(addressOf(text)));
      assert.ok(text.startsWith(withoutVersion(text)));
    },
  },
  {
    name: "tests/control",
    of: "tests",
    read: refusing((text) => {
      for (const name of declaredTests(text)) assert.ok(!/\s/.test(name));
    }, Deb822Error),
  },
  {
    name: "autopkgtest's output",
    of: "events",
    read: (text) => {
      const event = readTestEvent(text);
      assert.ok(event === undefined || /^\S+$/.test(event.test));
      return event !== undefined;
    },
  },
  {
    name: "autopkgtest's summary",
    of: "summary",
    read: (text) => {
      const { tests, message } = readSummary(text);
      for (const { name, result } of tests) {
        assert.match(name, /^\S+$/);
        assert.match(result, /^(?:pass|fail|skip|flaky|neutral)$/);
      }
      assert.ok(message === null || !message.includes("\n"));
    },
  },
  {
    name: "apt's output",
    of: "apt",
    read: (text) => {
      const { blame, line } = aptVerdict(text);
      assert.match(blame, /^(?:package|infrastructure)$/);
      assert.ok(line !== "" && !line.includes("\n") && line.length <= 1000);
    },
  },
  {
    name: "apt's URIs",
    of: "uris",
    read: (text) => {
      const files = readPrintUris(text).map(({ file }) => file);
      assert.ok(isSorted(files));
      for (const file of files) assert.match(file, /^\S+$/);
    },
  },
  {
    name: "build logs",
    of: "log",
    read: (text) => {
      const line = explainingLine(text);
      assert.ok(line !== "" && !line.includes("\n") && line.length <= 300);
      assert.ok(
        lastLines(text).split(" | ").join("\n").length <= text.length + 9,
      );
    },
  },
  {
    name: "pages of a log",
    of: "log",
    read: (text) => {
      const lines = text.split("\n");
      const finder = sectionFinder();
      for (const [at, line] of lines.entries()) {
        finder.line(line, at + 1);
        const shown = lineText(line);
        const bare = lineHtml(line)
          .html.replaceAll(/<span class="ansi-[a-z -]+">|<\/span>/g, "")
          .replaceAll("&lt;", "\u0001")
          .replaceAll("&gt;", "\u0002");
        assert.doesNotMatch(bare, /[<>]/);
        assert.equal(
          bare
            .replaceAll("\u0001", "<")
            .replaceAll("\u0002", ">")
            .replaceAll("&quot;", '"')
            .replaceAll("&#x27;", "'")
            .replaceAll("&amp;", "&"),
          shown,
        );
      }
      let next = 1;
      for (const { from, to } of finder.end(lines.length)) {
        assert.equal(from, next);
        assert.ok(to >= from);
        next = to + 1;
      }
      assert.equal(next, lines.length + 1);
    },
  },
  {
    name: "sbuild's summary",
    of: "sbuild",
    read: (text) => {
      const { outcome, status } = readSbuildSummary(text, 0);
      assert.equal(outcome === "passed", status === "successful");
    },
  },
  {
    name: "dpkg-query's listing",
    of: "listing",
    read: (text) => {
      const found = readManifest(text, "bookworm", [], []);
      assert.ok(isSorted(found.map((one) => one.package)));
    },
  },
  {
    name: "Packages",
    of: "packages",
    read: (text) => {
      for (const found of readPackages(text)) {
        assert.ok(found.package !== "");
        for (const value of Object.values(found))
          assert.ok(typeof value === "boolean" || !value.includes("\n"));
      }
    },
  },
  {
    name: "index files",
    of: "index",
    read: refusing(
      (text) => {
        for (const { path } of indexFilesOf(text)) assert.match(path, /^\S+$/);
        packagesIn(text, text.includes("Directory") ? "source" : "binary");
      },
      Deb822Error,
      UbuntuCiError,
    ),
  },
  {
    name: "build dependencies",
    of: "dsc",
    read: (text) => {
      assert.match(knownDepsKey({ digest: "x" }, text), /^[0-9a-f]{64}$/);
      stillHolds({ layer: null, names: ["x"] }, text, readPackages(text));
    },
  },
  {
    name: "secrets",
    of: "secrets",
    read: (text) => {
      const secret = "a-known-secret";
      assert.ok(!redact(`${text}${secret}`, [secret]).includes(secret));
      assert.ok(!redact(`${text} https://u:tiger9@x/`).includes("tiger9"));
    },
  },
  {
    name: "lines for people",
    of: "log",
    read: (text) => {
      const record = { at: "2026-01-01T00:00:00.000Z", actor: "a", run: null };
      const said = {
        subject: "ticket",
        subject_id: "1",
        what: text,
        why: text,
      };
      const line = logText({ ...record, ...said, from: null, to: null });
      for (const shown of [
        oneLine(text),
        outputLine(text),
        line.what,
        line.rest,
      ])
        assert.ok(!controls.test(shown), "it has a control character");
      for (const shown of [shownText(text), textOfLines([text])])
        assert.ok(!controls.test(shown.replaceAll(/[\n\t]/g, "")));
      assert.equal(shownText(shownText(text)), shownText(text));
      assert.equal(JSON.parse(shownJson(text)), text);
      assert.ok(!controls.test(textProblem(text, "one") ?? ""));
      assert.ok(!unknownLine(text).includes("\n"));
      parseStep(text);
    },
  },
  {
    name: "lines of an output",
    of: "log",
    read: (text) => {
      const lines = [];
      const splitter = splitLines((line) => lines.push(line));
      for (let at = 0; at < text.length; at += 50)
        splitter.push(text.slice(at, at + 50));
      splitter.end();
      assert.deepEqual(lines, [...outputLines(text)]);
      assert.ok(lines.every((line) => line.length <= lineLimit));
    },
  },
  {
    name: "clear-signed messages",
    of: "signed",
    read: refusing(
      (text) => {
        const found = clearSigned(text);
        if (found === undefined) return false;
        assert.ok(
          !found.text.includes("\n-----BEGIN PGP SIGNED MESSAGE-----\n"),
        );
        issuersOf(unarmoured(found.signature));
        return true;
      },
      Deb822Error,
      RangeError,
    ),
  },
  {
    name: "signatures",
    of: "signature",
    bytes: true,
    read: refusing((bytes) => {
      for (const id of issuersOf(fromHex(bytes)))
        assert.match(id, /^[0-9A-F]*$/);
    }, RangeError),
  },
  {
    name: "public keys",
    of: "signature",
    bytes: true,
    read: refusing((bytes) => {
      for (const { fingerprint } of publicKeysOf(fromHex(bytes)))
        assert.match(fingerprint, /^[0-9A-F]+$/);
    }, RangeError),
  },
  {
    name: "gpg's listing and gpgv's status",
    of: "gpg",
    read: (text) => {
      for (const { uid } of keysListed(text)) assert.ok(!controls.test(uid));
      const { kind } = signatureVerdict(text, 0, 1_800_000_000);
      return kind === "good" || text.includes("pub:");
    },
  },
  {
    name: "names of published files",
    of: "files",
    read: (text) => {
      // Longer ones no file system has.
      // A lone surrogate is none in UTF-8, which names are.
      const lines = text
        .toWellFormed()
        .split("\n")
        .filter((line) => line.length <= 255);
      const names = [...new Set(lines)];
      const published = publishedNames(names);
      const folded = [...published.values()];
      assert.equal(new Set(folded).size, names.length, "two have one name");
      for (const [name, shown] of published) {
        assert.match(shown, /^[A-Za-z0-9_][A-Za-z0-9._+~=-]*$/);
        assert.ok(shown.length <= 255 && possibleNames(name).includes(shown));
        assert.equal(typeof isDownload(shown), "boolean");
        assert.match(packageFolder(name), /^[a-z0-9_][a-z0-9+.-]*$/);
      }
    },
  },
  {
    name: "policies",
    of: "policies",
    read: (text) => {
      let policy;
      try {
        policy = parsePolicy(text, "x");
      } catch (thrown) {
        if (!(thrown instanceof UbuntuCiError)) throw thrown;
        assert.ok(
          thrown.problems.length > 0,
          "nothing is said of what is wrong",
        );
        for (const { where } of thrown.problems)
          assert.match(where, /^x(?::[1-9][0-9]*)?$/);
        return false;
      }
      // As it is shown it says the same.
      const shown = JSON.stringify(writtenPolicy(policy));
      assert.deepEqual(parsePolicy(shown, "x"), policy);
      return true;
    },
  },
  {
    name: "lines of the log",
    of: "logLines",
    read: (text) => parseLogLine(text) !== undefined,
  },
];
