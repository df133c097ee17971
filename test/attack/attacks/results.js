import { readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { basename, dirname, join } from "node:path";

import { proved, writePackage } from "../package.js";

/**
 * debian/rules that leaves a process behind; it waits until the .changes is complete, then does
 * something with it. What it does finds the file's name in $changes.
 */
const afterwards = (here, script) => `${proved(here.id, ":")}
changes=$(pwd)/../${here.name}_1_$(dpkg --print-architecture).changes
cat >../later.sh <<'LATER'
until grep -q '^Files:' "$changes" 2>/dev/null; do :; done
${script(here)}
LATER
changes=$changes setsid sh ../later.sh </dev/null >/dev/null 2>&1 &
`;

const builds = (script) => (here) => [
  { source: here.name, build: afterwards(here, script) },
];

const land = { until: "build-source" };

/** What must not happen whatever a build leaves: that land itself ends by it, or blames the machine. */
const landDied = (_here, { status }, ended) =>
  ended.code === 70 || (ended.code === null && !ended.timedOut)
    ? `land died: ${ended.stderr.trim().split("\n").at(-1)}`
    : ended.timedOut || /time limit/.test(status.failure?.reason ?? "")
      ? "it held until a time limit"
      : status.failure?.kind === "infrastructure"
        ? `our infrastructure is blamed: ${status.failure.reason}`
        : undefined;

/** The huge list, with an innocent ticket that lands in the same `land`. */
async function hugeBesideInnocent(here) {
  const { place } = here;
  const build = `yes | head -c 450000000 >../huge\n`;
  const huge = await place.ticket([
    {
      source: here.name,
      build:
        build + afterwards(here, () => "mv $(dirname $changes)/huge $changes"),
    },
  ]);
  const innocent = await place.ticket([
    { source: `${here.name}-innocent`, build: "sleep 12\n" },
  ]);
  const ended = await place.ci(["land", "--until", "build-source"], {
    timeoutMs: 240_000,
  });
  const told = await place.told(huge);
  const other = await place.status(innocent);
  const proof = told.logs.includes(`ATTACK ${here.id} begins`);
  return {
    ran:
      proof || told.status.step.code > 200 || told.status.failure !== null
        ? true
        : `${told.status.status}: ${ended.stderr}`,
    breach:
      landDied(here, told, ended) ??
      (other.step.code <= 200
        ? `the innocent ticket is ${other.status} at ${other.step.name}`
        : undefined),
  };
}

/** A listed file beside the upload's own; the list is signed anew. */
async function uploadWith(place, name, file, text) {
  const changes = await writePackage(place.uploads, place.series, {
    source: name,
  });
  writeFileSync(join(dirname(changes), file), text);
  const digest = (kind) => createHash(kind).update(text).digest("hex");
  const size = Buffer.byteLength(text);
  let list = readFileSync(changes, "utf8");
  for (const [field, entry] of [
    ["Checksums-Sha1", `${digest("sha1")} ${size} ${file}`],
    ["Checksums-Sha256", `${digest("sha256")} ${size} ${file}`],
    ["Files", `${digest("md5")} ${size} misc optional ${file}`],
  ])
    list = list.replace(
      new RegExp(`^${field}:[ \t]*\n`, "m"),
      (line) => `${line} ${entry}\n`,
    );
  writeFileSync(changes, list);
  await place.sign(changes);
  return changes;
}

/** Endings that web servers give a type that a browser runs or shows as a page. */
const pages =
  /^(?:x?html?|xht|svgz?|xml|xsl|m?js|css|swf|pdf|mht(?:ml)?|hta|shtml|php|cgi)$/i;

/** Apache looks at each ending of a name (mod_mime), and takes .ht* for its own. */
const isPage = (name) =>
  name.startsWith(".ht") ||
  name
    .split(".")
    .slice(1)
    .some((ending) => pages.test(ending));

const filesBelow = (folder) =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory()
      ? filesBelow(join(folder, entry.name))
      : [join(folder, entry.name)],
  );

/** A file of the upload's own lies in the report under a name that a browser takes for a page. */
function listedPage(file) {
  return async (here) => {
    const { place } = here;
    const mark = `page-of-${here.id}`;
    const changes = await uploadWith(
      place,
      here.name,
      file,
      `<svg xmlns="http://www.w3.org/2000/svg"><script>alert("${mark}")</script></svg>\n`,
    );
    const { code, stderr } = await place.ci([
      ...["create_ticket", "-t", here.name, "-s", changes],
    ]);
    const report = await place.ci(["shepherd-report"]);
    const shown = filesBelow(join(place.state, "report")).find(
      (path) =>
        isPage(basename(path)) &&
        statSync(path).size < 1_000_000 &&
        readFileSync(path, "latin1").includes(`alert("${mark}")`),
    );
    return {
      ran:
        report.code === 0 &&
        (code === 0 || (code === 2 && stderr.includes(file)))
          ? true
          : `${stderr}${report.stderr}`,
      breach: shown && `the report has ${shown.slice(place.state.length)}`,
    };
  };
}

/** @type {import("../attack.js").Attack[]} */
export const attacks = [
  {
    id: "s10-huge-changes",
    row: "S10",
    boundary: "build",
    quick: true,
    exclusive: true,
    before: "succeeds",
    tries:
      "a process left behind puts a .changes of 450 MB in place; another ticket lands beside it",
    carryOut: hugeBesideInnocent,
  },
  {
    id: "s10-fifo",
    row: "S10",
    boundary: "build",
    before: "held",
    tries: "the .changes becomes a FIFO",
    land: { ...land, timeoutMs: 120_000 },
    ticket: builds(() => "mkfifo $changes.new; mv $changes.new $changes"),
    isCarriedOut: ({ status }) => status.failure !== null,
    look: landDied,
  },
  {
    id: "s10-link",
    row: "S10",
    boundary: "build",
    before: "held",
    tries: "the .changes becomes a link to the owner's secret",
    land,
    ticket: builds(
      ({ canary }) =>
        `ln -s ${canary.folder}/precious.txt $changes.new; mv -T $changes.new $changes`,
    ),
    look: landDied,
  },
  {
    id: "s10-folder",
    row: "S10",
    boundary: "build",
    before: "held",
    tries: "the .changes becomes a folder",
    land,
    ticket: builds(() => "rm $changes; mkdir $changes"),
    look: landDied,
  },
  {
    id: "s10-swapping",
    row: "S10",
    boundary: "build",
    before: "either",
    tries:
      "file, link, FIFO and folder take turns in the place of the .changes and the .deb",
    land: { ...land, timeoutMs: 120_000 },
    ticket: builds(
      ({ canary, name }) => `deb=$(dirname $changes)/${name}_1_all.deb
for n in $(seq 3000); do
  for f in $changes $deb; do
    cp $f $f.kept 2>/dev/null; rm -rf $f; ln -s ${canary.folder}/precious.txt $f; rm -rf $f; mkdir $f; rm -rf $f; mv $f.kept $f
  done
done`,
    ),
    isCarriedOut: ({ status }) => status.failure !== null,
    look: landDied,
  },
  {
    id: "s10-names-outside",
    row: "S10",
    boundary: "build",
    before: "held",
    tries: "the .changes lists files outside of its folder",
    land,
    ticket: builds(
      ({ canary, name }) =>
        `sed "s|${name}_1_all.deb|../../../../../../../../../..${canary.folder}/precious.txt|" $changes >$changes.new; mv $changes.new $changes`,
    ),
    look: landDied,
  },
  {
    id: "s10-growing",
    row: "S10",
    boundary: "build",
    before: "either",
    tries:
      "a process left behind keeps appending to .changes, .deb and .buildinfo",
    land: { ...land, timeoutMs: 120_000 },
    ticket: builds(
      () =>
        `cd $(dirname $changes); for n in $(seq 100000); do for f in *.changes *.deb *.buildinfo; do echo "X-More: $n" >>$f; done; done`,
    ),
    isCarriedOut: ({ status }) => status.failure !== null,
    look: landDied,
  },
  {
    id: "s10-odd-deb",
    row: "S10",
    boundary: "build",
    before: "either",
    tries: "the .deb is no archive at all, and odd names lie beside it",
    land,
    ticket: (here) => [
      {
        source: here.name,
        build: proved(
          here.id,
          `cd ..; touch -- '-oProxy.deb' 'a
b.deb' '--target-directory=x.deb' '$(id).deb'; true`,
        ),
        files: {
          "debian/rules": `#!/usr/bin/make -f
build build-arch build-indep:
	sh debian/build.sh
clean:
	:
binary-arch:
binary binary-indep: build
	head -c 5000 /dev/zero >../${here.name}_1_all.deb
	dpkg-distaddfile ${here.name}_1_all.deb misc optional
`,
        },
      },
    ],
    look: landDied,
  },
  ...[
    ["rules", "build", "build-source"],
    ["postinst", "image", "build-image"],
    ["test", "test", "run-tests"],
  ].map(([where, boundary, last]) => ({
    id: `s13-left-behind-${where}`,
    row: "S13",
    boundary,
    quick: where === "rules",
    // apt and autopkgtest give what they start descriptors of their own.
    before: where === "rules" ? "succeeds" : "held",
    tries: `a process left behind by ${where} holds the step although its tool has ended`,
    land: { until: last, timeoutMs: 120_000 },
    ticket: (here) => {
      const script = `${proved(here.id, ":")}setsid sleep 600 &\n`;
      return [
        where === "rules"
          ? { source: here.name, build: script }
          : where === "postinst"
            ? {
                source: here.name,
                binaries: [{ name: here.name, postinst: script }],
              }
            : {
                source: here.name,
                tests: [{ name: "leaves", script }],
              },
      ];
    },
    // It is killed before its log is put in place.
    isCarriedOut: (_told, { timedOut }) => timedOut,
    look: landDied,
  })),
  ...[
    "evil.html",
    "evil.svg",
    "evil.xhtml",
    "evil.HTM",
    "index.html",
    "evil.html.en",
    ".htaccess",
  ].map((file) => ({
    id: `s14-${file.replaceAll(".", "-").replace(/^-/, "").toLowerCase()}`,
    row: "S14",
    boundary: "upload",
    quick: file === "evil.html",
    before: "succeeds",
    tries: `a signed .changes lists ${file}, which then lies in the report`,
    carryOut: listedPage(file),
  })),
];
