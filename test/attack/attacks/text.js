import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  writeFileSync,
} from "node:fs";
import { extname, join } from "node:path";

import { proved, writePackage } from "../package.js";
import { run } from "../process.js";

const blanks = " ".repeat(50_000);
const replaceField = (name, value) => (text) =>
  text.replace(new RegExp(`^${name}:.*\n`, "m"), () => `${name}: ${value}\n`);
const addLine = (field, line) => (text) =>
  text.replace(
    new RegExp(`^${field}:[ \\t]*\n`, "m"),
    (found) => `${found} ${line}\n`,
  );
const sum = "0".repeat(64);

/** Just short enough for gpg to sign: it cuts lines of text at 19,995 characters. */
const signable = " ".repeat(19_000);

/** Shapes that an uploader can sign: lines are short, and many. */
const signedShapes = {
  "many-long-lines": (text) =>
    `${text}${Array.from({ length: 100 }, (_, index) => `X-${index}: a${signable}b\n`).join("")}`,
  "many-long-files": addLine(
    "Files",
    Array.from(
      { length: 100 },
      () => `${sum.slice(32)} 1 misc${signable}x`,
    ).join("\n "),
  ),
  "many-long-continued": (text) =>
    `${text}X-Long:\n${` a${signable}b\n`.repeat(100)}`,
  continued: (text) =>
    `X-Long:\n${` .${" ".repeat(30)}\n`.repeat(8000)}${text}`,
  "blank-lines": (text) => `${text}X: y\n${" .\n".repeat(60_000)}`,
};

/** Shapes of a .changes that a careless pattern takes quadratic time for. */
const shapes = {
  "source-blanks": replaceField("Source", `a${blanks}b`),
  "source-parentheses": replaceField("Source", `a${" (".repeat(60_000)}b`),
  "version-blanks": replaceField("Version", `1${blanks}b`),
  "distribution-blanks": replaceField("Distribution", `a${blanks}b`),
  "architecture-words": replaceField("Architecture", "a ".repeat(60_000)),
  "changed-by-blanks": replaceField("Changed-By", `a${blanks}b`),
  "changed-by-brackets": replaceField(
    "Changed-By",
    `a ${"<a ".repeat(40_000)}`,
  ),
  "files-blanks": addLine(
    "Files",
    `${sum.slice(32)} 1 misc${blanks}optional x`,
  ),
  "files-words": addLine("Files", "a ".repeat(60_000)),
  "sums-blanks": addLine("Checksums-Sha256", `${sum}${blanks}1 x`),
  "field-name": (text) => `${"A".repeat(120_000)}\n${text}`,
  "field-trim": (text) => `X-Long: a${blanks}\t${blanks}b\n${text}`,
  "changes-dots": (text) =>
    text.replace(/^ {3}\* .*$/m, ` ${". ".repeat(60_000)}`),
};

/** Shapes of the armour around it, which no signature can cover. */
const armours = {
  headers: (text) =>
    `-----BEGIN PGP SIGNED MESSAGE-----\n${"Hash: SHA512\n".repeat(20_000)}\n${text}`,
  "begins-again": (text) =>
    `${"-----BEGIN PGP SIGNED MESSAGE-----\n".repeat(4000)}${text}`,
  "signatures-begin": (text) =>
    `-----BEGIN PGP SIGNED MESSAGE-----\n\n${text}${"-----BEGIN PGP SIGNATURE-----\n".repeat(6000)}`,
  blanks: (text) =>
    `-----BEGIN PGP SIGNED MESSAGE-----\nHash:${blanks}x\n\n${text}\n-----BEGIN PGP SIGNATURE-----${blanks}\nx${blanks}\n`,
  dashes: (text) =>
    `-----BEGIN PGP SIGNED MESSAGE-----\n\n${"- ".repeat(60_000)}\n${text}\n-----BEGIN PGP SIGNATURE-----\n`,
};

/** Seconds of CPU that a command takes, with all that it starts. */
async function cpuSeconds(place, args) {
  const { stderr, timedOut } = await run(
    [
      ...[
        "perl",
        "-e",
        'system(@ARGV); my @t = times; printf STDERR "\\nCPU %.3f\\n", $t[2] + $t[3]',
      ],
      ...place.argv(...args),
    ],
    { env: place.env, timeoutMs: 60_000 },
  );
  return timedOut ? 60 : Number(/^CPU ([0-9.]+)$/m.exec(stderr)?.[1] ?? NaN);
}

const change = (changes, shape) =>
  writeFileSync(changes, shape(readFileSync(changes, "utf8")));

/** How a shape comes into an upload. */
const signing = {
  async signed(place, changes, shape) {
    change(changes, shape);
    await place.sign(changes);
  },
  /** Whoever is no uploader has no signature that holds. */
  async brokenSignature(place, changes, shape) {
    await place.sign(changes);
    change(changes, (text) => {
      const [, head, body, tail] =
        /^(.*?\n\n)(.*)(-----BEGIN PGP SIG.*)$/s.exec(text);
      return head + shape(body) + tail;
    });
  },
  async armoured(_place, changes, shape) {
    change(changes, shape);
  },
};

/** Takes no more than a plain upload does, and a second for what is much longer. */
function shaped(shape, sign) {
  return async (here) => {
    const { place } = here;
    const changes = await writePackage(place.uploads, place.series, {
      source: here.name,
    });
    const plain = await cpuSeconds(place, [
      "create_ticket",
      "--dry-run",
      "-t",
      "x",
      "-s",
      changes,
    ]);
    await sign(place, changes, shape);
    const shapedOne = await cpuSeconds(place, [
      "create_ticket",
      "--dry-run",
      "-t",
      "x",
      "-s",
      changes,
    ]);
    return {
      ran: shapedOne > 0 && plain > 0 ? true : "no time was taken",
      breach:
        shapedOne > 2 * plain + 1
          ? `${shapedOne.toFixed(1)} s of CPU, a plain one ${plain.toFixed(1)} s`
          : undefined,
    };
  };
}

/** A postinst that fails with one long line, compared with one that fails with a short one. */
function longLine(line) {
  return async (here) => {
    const { place } = here;
    const landing = async (name, text) => {
      const ticket = await place.ticket([
        {
          source: name,
          binaries: [
            {
              name,
              postinst: `${proved(here.id, ":")}perl -e '${text}'; exit 1\n`,
            },
          ],
        },
      ]);
      await place.ci(["land", "--ticket", ticket, "--until", "build-source"]);
      const seconds = await cpuSeconds(place, [
        ...["land", "--ticket", ticket, "--until", "build-image"],
      ]);
      return { seconds, told: await place.told(ticket) };
    };
    const plain = await landing(`${here.name}-plain`, 'print "but\\n"');
    const long = await landing(here.name, line);
    return {
      ran: long.told.logs.includes(`ATTACK ${here.id} begins`)
        ? true
        : `${long.told.status.failure?.reason}`,
      breach:
        long.seconds > 2 * plain.seconds + 1
          ? `${long.seconds.toFixed(1)} s of CPU, with a short line ${plain.seconds.toFixed(1)} s`
          : undefined,
    };
  };
}

/** Anything that a terminal obeys: C0 but tab and newline, DEL, C1. */
// eslint-disable-next-line no-control-regex -- those are what is looked for
const control = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/;

/** Escapes around a mark, by which those of an attack are known among all that is shown. */
const escapesOf = ({ id }) => `\u001b]0;${id}!\u0007\u001b[2J\u009b31m${id}!`;

/** Where a control character is shown; on what tells of all tickets only those of this attack count. */
function shownRaw({ id }, own, shared = {}) {
  const ofThis = new RegExp(
    `${control.source}(?:\\]0;|31m)?${id}!|${id}!${control.source}`,
  );
  for (const [texts, pattern] of [
    [own, control],
    [shared, ofThis],
  ])
    for (const [where, text] of Object.entries(texts)) {
      const at = text.search(pattern);
      if (at >= 0)
        return `${where}: ${JSON.stringify(text.slice(Math.max(0, at - 30), at + 30))}`;
    }
  return undefined;
}

/** What people are shown: what commands print, pages and log lines. */
async function shown(place, ticket) {
  const own = {};
  const shared = {};
  const ask = async (texts, args) => {
    const { stdout, stderr } = await place.ci(args);
    texts[`ubuntu-ci ${args.join(" ")}`] = stdout + stderr;
  };
  if (ticket !== undefined) {
    for (const command of ["status", "explain", "log"])
      await ask(own, [command, ticket]);
    await ask(own, ["status", ticket, "--json"]);
  }
  for (const args of [["status"], ["log"], ["check"]]) await ask(shared, args);
  await place.ci(["shepherd-report"]);
  const report = join(place.state, "report");
  for (const folder of [
    report,
    join(report, "tickets", ticket ?? ""),
    join(place.state, "log"),
  ])
    for (const name of existsSync(folder) ? readdirSync(folder) : [])
      if ([".html", ".json", ".log"].includes(extname(name)))
        shared[join(folder, name).slice(place.state.length)] = readFileSync(
          join(folder, name),
          "utf8",
        );
  return [own, shared];
}

/** A word that a person gives is shown nowhere raw. */
function said(make) {
  return async (here) => {
    const ended = await make(here, escapesOf(here));
    const ticket =
      ended.ticket ??
      (/^[0-9]+$/.test(ended.stdout.trim()) ? ended.stdout.trim() : undefined);
    const [own, shared] = await shown(here.place, ticket);
    return {
      ran: ended.code === 0 || ended.code === 2 ? true : ended.stderr,
      breach: shownRaw(
        here,
        { "the command": ended.stdout + ended.stderr, ...own },
        shared,
      ),
    };
  };
}

/** What a build or a test prints is shown nowhere raw. */
function printed(packageOf) {
  return async (here) => {
    const { place, id } = here;
    const text = `\\033]0;${id}!\\007\\033[2J\\r\\302\\23331m${id}!`;
    const ticket = await place.ticket([packageOf(here, text)]);
    const ended = await place.ci(["land", "--ticket", ticket, "-v", "3"]);
    const { logs } = await place.told(ticket);
    const [own, shared] = await shown(place, ticket);
    return {
      ran: logs.includes(`ATTACK ${id} begins`) ? true : ended.stderr,
      breach: shownRaw(
        here,
        { "land -v 3": ended.stdout + ended.stderr, ...own },
        shared,
      ),
    };
  };
}

const create = async ({ place, name }, ...args) =>
  place.ci([
    ...["create_ticket", "-w", "-s", await place.upload({ source: name })],
    ...args,
  ]);

/** @type {import("../attack.js").Attack[]} */
export const attacks = [
  ...Object.entries(shapes).map(([name, shape]) => ({
    id: `s11-${name}`,
    row: "S11",
    boundary: "upload",
    quick: ["source-blanks", "files-blanks"].includes(name),
    before: name === "source-blanks" ? "succeeds" : "either",
    tries: `a .changes that is costly to read, its signature broken: ${name}`,
    carryOut: shaped(shape, signing.brokenSignature),
  })),
  ...Object.entries(signedShapes).map(([name, shape]) => ({
    id: `s11-signed-${name}`,
    row: "S11",
    boundary: "upload",
    before: "either",
    tries: `a signed .changes that is costly to read: ${name}`,
    carryOut: shaped(shape, signing.signed),
  })),
  ...Object.entries(armours).map(([name, shape]) => ({
    id: `s11-armour-${name}`,
    row: "S11",
    boundary: "upload",
    quick: name === "blanks",
    before: "either",
    tries: `an armour that is costly to read: ${name}`,
    carryOut: shaped(shape, signing.armoured),
  })),
  {
    id: "s11-apt-line",
    row: "S11",
    boundary: "image",
    before: "succeeds",
    tries:
      "a failing postinst prints one line of 400 kB that apt might have said",
    carryOut: longLine('print "but " x 100000, "\\n"'),
  },
  {
    id: "s11-dependency-line",
    row: "S11",
    boundary: "image",
    before: "either",
    tries: "the same with half a dependency and half a conflict in it",
    carryOut: longLine(
      'print "dependency " x 20000, "version " x 20000, " : Depends: " x 20000, "\\n"',
    ),
  },
  {
    id: "s15-build-output",
    row: "S15",
    boundary: "build",
    quick: true,
    before: "succeeds",
    tries:
      "a failing build prints escapes: on the terminal at -v 3, in its reason, on the pages",
    carryOut: printed(({ id, name }, text) => ({
      source: name,
      build: `${proved(id, `printf '${text}\\n'`)}printf 'foo.c:1: error: ${text}\\n'; exit 1\n`,
    })),
  },
  {
    id: "s15-test-output",
    row: "S15",
    boundary: "test",
    before: "either",
    tries: "a failing test prints escapes, which become its detail",
    carryOut: printed(({ id, name }, text) => ({
      source: name,
      tests: [
        {
          name: "escapes",
          script: `${proved(id, `printf '${text}\\n'`)}printf '${text}'; exit 1\n`,
        },
      ],
    })),
  },
  {
    id: "s15-owner",
    row: "S15",
    boundary: "upload",
    quick: true,
    before: "succeeds",
    tries: "the owner's address has escapes in it",
    carryOut: said((here, escapes) =>
      create(here, "-t", here.name, "-o", `dev${escapes}@example.com`),
    ),
  },
  {
    id: "s15-title",
    row: "S15",
    boundary: "upload",
    before: "either",
    tries: "title and description have escapes in them",
    carryOut: said((here, escapes) =>
      create(here, "-t", `a${escapes}`, "-d", `b${escapes}`),
    ),
  },
  {
    id: "s15-bug",
    row: "S15",
    boundary: "upload",
    before: "either",
    tries: "the bug's address has escapes in it",
    carryOut: said((here, escapes) =>
      create(here, "-t", here.name, "-b", `https://example.com/${escapes}`),
    ),
  },
  {
    id: "s15-reason",
    row: "S15",
    boundary: "upload",
    before: "either",
    tries: "the reason of a cancellation has escapes in it",
    carryOut: said(async (here, escapes) => {
      const { stdout } = await create(here, "-t", here.name);
      const ticket = stdout.trim();
      const ended = await here.place.ci([
        ...["cancel", ticket, "--reason", `c${escapes}`],
      ]);
      return { ...ended, ticket };
    }),
  },
  {
    id: "s15-changed-by",
    row: "S15",
    boundary: "upload",
    before: "either",
    tries: "who changed the package, and its fields, have escapes in them",
    carryOut: said(async (here, escapes) => {
      const { place } = here;
      const changes = await writePackage(place.uploads, place.series, {
        source: here.name,
      });
      const text = readFileSync(changes, "utf8");
      writeFileSync(
        changes,
        replaceField(
          "Changed-By",
          `D${escapes} <dev${escapes}@example.com>`,
        )(replaceField("Urgency", `high${escapes}`)(text)),
      );
      await place.sign(changes);
      return place.ci(["create_ticket", "-w", "-t", here.name, "-s", changes]);
    }),
  },
  {
    id: "s15-refused",
    row: "S15",
    boundary: "upload",
    before: "either",
    tries:
      "a refused upload's fields and names, told as errors, have escapes in them",
    carryOut: said(async (here, escapes) => {
      const { place } = here;
      const changes = await writePackage(place.uploads, place.series, {
        source: here.name,
      });
      const text = readFileSync(changes, "utf8");
      writeFileSync(
        changes,
        replaceField(
          "Distribution",
          `b${escapes}`,
        )(
          replaceField(
            "Version",
            `1${escapes}`,
          )(
            replaceField(
              "Source",
              `a${escapes}`,
            )(
              addLine(
                "Files",
                `${sum.slice(32)} 1 misc optional ${escapes}`,
              )(text),
            ),
          ),
        ),
      );
      await place.sign(changes);
      const folder = place.folder(`uploads/odd${escapes}`);
      mkdirSync(folder, { recursive: true });
      const odd = await place.ci([
        ...[
          "create_ticket",
          "-t",
          "x",
          "-s",
          join(folder, "x_1_source.changes"),
        ],
      ]);
      const ended = await place.ci([
        "create_ticket",
        "-w",
        "-t",
        "x",
        "-s",
        changes,
      ]);
      return { ...ended, stderr: ended.stderr + odd.stderr };
    }),
  },
];
