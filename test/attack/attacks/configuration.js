import {
  chmodSync,
  mkdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

import { asOwnerOfAll, giveToStranger } from "../accounts.js";
import { run } from "../process.js";
import { writePackage } from "../package.js";

const optional = { admission: { signatures: "optional" } };
const json = (settings) => `${JSON.stringify(settings)}\n`;
const yaml = "admission:\n  signatures: optional\n";

/**
 * Plants a file, then uploads without a signature from a folder below it, as an installation whose
 * owner's home is `home`.
 */
function plant({ at, text, change, args = () => [], cwd }) {
  return async (here) => {
    const { place } = here;
    const home = place.folder(`planted/${here.id}`);
    const folder = join(home, "deep/down");
    mkdirSync(folder, { recursive: true });
    const file = join(home, at);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text, { mode: 0o600 });
    change?.(file, home);
    const changes = await writePackage(place.uploads, place.series, {
      source: here.name,
    });
    const ended = await run(
      [
        ...[join(place.program, "bin/ubuntu-ci"), "--state-dir", place.state],
        ...args(file),
        ...["create_ticket", "-w", "-t", here.name, "-s", changes],
      ],
      { cwd: cwd ?? folder, env: { ...place.env, HOME: home } },
    );
    await run(asOwnerOfAll(["rm", "-rf", home]));
    return {
      ran:
        ended.code === 2 || ended.code === 78
          ? true
          : `create_ticket: ${ended.stderr}`,
      breach:
        ended.code === 0
          ? "an upload without a signature was accepted"
          : undefined,
    };
  };
}

/** What counts of a file planted upward, by the command that says what counts. */
function counts(file, text, key) {
  return async (here) => {
    const { place } = here;
    const home = place.folder(`planted/${here.id}`);
    const folder = join(home, "deep");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(home, file), text, { mode: 0o644 });
    const { code, stdout, stderr } = await run(
      [
        ...[join(place.program, "bin/ubuntu-ci"), "--state-dir", place.state],
        ...["config", key, "--json"],
      ],
      { cwd: folder, env: { ...place.env, HOME: join(home, "elsewhere") } },
    );
    return {
      ran: code === 0 || code === 78 ? true : stderr,
      breach: stdout.includes("planted.example")
        ? `${key} is what a planted ${file} says`
        : undefined,
    };
  };
}

/** A folder that is no state is named as one, by mistake or by a planted variable. */
async function otherFolder(here) {
  const { place, id } = here;
  const folder = place.folder(`planted/${id}`);
  mkdirSync(join(folder, "public"), { mode: 0o755 });
  writeFileSync(join(folder, "notes.txt"), "notes\n", { mode: 0o644 });
  const modes = () =>
    [".", "public", "notes.txt"].map((name) =>
      (statSync(join(folder, name)).mode & 0o7777).toString(8),
    );
  const before = modes().join(" ");
  const fake = Object.fromEntries(
    ["builder", "imager", "tester", "archiveKeeper"].map((key) => [
      key,
      "fake",
    ]),
  );
  const argv = place.argvWith(fake, ["--state-dir", folder]);
  const said = [];
  for (const args of [
    ["status"],
    ["check"],
    ["doctor"],
    ["fsck"],
    ["land"],
    ["maintenance", "status"],
    ["restore", "/nonexistent"],
    ["init"],
  ]) {
    said.push((await run([...argv, ...args], { env: place.env })).code);
    if (modes().join(" ") !== before)
      return {
        ran: true,
        breach: `ubuntu-ci ${args.join(" ")} changed modes of what is not its own: ${before} are ${modes().join(" ")}`,
      };
  }
  return { ran: said.every((code) => code !== null) ? true : "no end" };
}

const own = ".config/ubuntu-ci/config.json";
const outside = (place) => `${place}-outside`;

/** @type {import("../attack.js").Attack[]} */
export const attacks = [
  ...[
    ["package.json", json({ "ubuntu-ci": optional })],
    [".ubuntu-circ", json(optional)],
    [".ubuntu-circ.json", json(optional)],
    [".ubuntu-circ.yaml", yaml],
    [".ubuntu-circ.yml", yaml],
    ["ubuntu-ci.config.json", json(optional)],
    ["ubuntu-ci.config.yaml", yaml],
  ].map(([at, text]) => ({
    id: `s5-planted-${at.replaceAll(/\W+/g, "-").replace(/^-/, "")}`,
    row: "S5",
    boundary: "configuration",
    quick: at === "package.json" || at === "ubuntu-ci.config.yaml",
    before: "succeeds",
    tries: `a ${at} above the working folder says that signatures are optional`,
    carryOut: plant({ at, text }),
  })),
  {
    id: "s5-planted-here",
    row: "S5",
    boundary: "configuration",
    before: "succeeds",
    tries: "the same in the working folder itself",
    carryOut: plant({
      at: "deep/down/ubuntu-ci.config.json",
      text: json(optional),
    }),
  },
  ...[
    ["mirror", { mirror: "http://planted.example/debian" }],
    ["mirrorKeyring", { mirrorKeyring: "/planted.example" }],
    ["report.rsyncTarget", { report: { rsyncTarget: "planted.example:/x" } }],
  ].map(([key, settings]) => ({
    id: `s5-${key.replaceAll(".", "-").toLowerCase()}`,
    row: "S5",
    boundary: "configuration",
    before: "succeeds",
    tries: `a planted file above the working folder says ${key}`,
    carryOut: counts("ubuntu-ci.config.json", json(settings), key),
  })),
  {
    id: "s5-somebody-elses",
    row: "S5",
    boundary: "configuration",
    quick: true,
    before: "succeeds",
    tries: "the configuration in the owner's own folder belongs to a stranger",
    carryOut: plant({
      at: own,
      text: json({ ...optional, concurrency: 2 }),
      change: (file) => {
        chmodSync(file, 0o644);
        giveToStranger(file);
      },
    }),
  },
  {
    id: "s5-somebody-elses-link",
    row: "S5",
    boundary: "configuration",
    before: "succeeds",
    tries: "the configuration is a link to a stranger's file",
    carryOut: plant({
      at: outside("stranger"),
      text: json(optional),
      change: (file, home) => {
        chmodSync(file, 0o644);
        giveToStranger(file);
        mkdirSync(dirname(join(home, own)), { recursive: true });
        symlinkSync(file, join(home, own));
      },
    }),
  },
  ...[
    ["group", 0o664],
    ["others", 0o646],
  ].map(([who, mode]) => ({
    id: `s5-writable-by-${who}`,
    row: "S5",
    boundary: "configuration",
    before: "succeeds",
    tries: `${who} may write the file that --config names`,
    carryOut: plant({
      at: "config.json",
      text: json(optional),
      change: (file) => chmodSync(file, mode),
      args: (file) => ["--config", file],
    }),
  })),
  {
    id: "s5-named-of-stranger",
    row: "S5",
    boundary: "configuration",
    before: "succeeds",
    tries: "--config names a stranger's file that weakens what is trusted",
    carryOut: plant({
      at: "config.json",
      text: json(optional),
      change: (file) => {
        chmodSync(file, 0o644);
        giveToStranger(file);
      },
      args: (file) => ["--config", file],
    }),
  },
  {
    id: "own-other-folder",
    row: "own",
    boundary: "configuration",
    quick: true,
    before: "held",
    tries:
      "a folder that is no state is named as one: its modes stay as they are",
    carryOut: otherFolder,
  },
  {
    id: "s5-trust-in-home",
    row: "S5",
    boundary: "configuration",
    before: "succeeds",
    tries:
      "what decides trust is set in the caller's own folder, where it must not count",
    carryOut: plant({ at: own, text: json(optional) }),
  },
];
