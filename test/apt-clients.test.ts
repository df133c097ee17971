import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  symlinkSync,
} from "node:fs";
import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";

import {
  afterAll,
  afterEach,
  beforeAll,
  describe,
  expect,
  test,
  vi,
} from "vitest";

import { aptSource } from "../src/lib/backends/archive/apt-source.ts";
import { aptlyArchive } from "../src/lib/backends/archive/aptly.ts";
import type { Archive } from "../src/lib/backends/archive/archive.ts";
import { aptlyPool } from "../src/lib/backends/pool/aptly.ts";
import { configOf } from "../src/lib/config/config.ts";
import type { StatePaths } from "../src/lib/host/paths.ts";
import { statePaths } from "../src/lib/host/paths.ts";
import { findBase } from "../src/lib/session/find-layer.ts";
import { makeBase } from "../src/lib/session/make-base.ts";
import { openSession } from "../src/lib/session/open-session.ts";
import { removeTree } from "../src/lib/session/remove-tree.ts";
import type { Session } from "../src/lib/session/session.ts";
import { builtPackages } from "./support/built-packages.ts";

// The archive as the apt of a whole system of each series sees it: in bookworm gpgv verifies, in trixie
// sqv, by the policy of its own day.

const shown = "/srv/archive";
let root: string;
let count = 0;
const open = new Set<Session>();
/** The archive that a system has a copy of, as a mirror would. */
const mirrored = new Map<Session, string>();

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "apt-clients."));
});
afterEach(async () => {
  for (const session of open) await session.close();
  open.clear();
});
afterAll(() => removeTree(root));

/** The root of a base of that series: lent, or made from Debian's mirror. */
async function baseOf(series: string): Promise<string> {
  const paths = statePaths(join(root, "bases"));
  mkdirSync(paths.layers, { recursive: true });
  const lender = process.env["UBUNTU_CI_TEST_STATE_DIR"];
  const lent = lender === undefined ? "" : statePaths(lender).layers;
  if (existsSync(lent))
    for (const name of readdirSync(lent))
      if (
        name.startsWith(`base-${series}-`) &&
        !existsSync(join(paths.layers, name))
      )
        symlinkSync(join(lent, name), join(paths.layers, name));
  const found = await findBase(paths.layers, series);
  if (found !== undefined) return found.root;
  const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
  const config = configOf(
    { mirror: "http://deb.debian.org/debian", mirrorKeyring: keyring },
    null,
  );
  return (await makeBase(paths, series, config)).root;
}

/** A system of a series, with no other source of packages than the archive. */
async function systemOf(base: string, paths: StatePaths): Promise<Session> {
  const scratch = join(root, `session-${(count += 1)}`);
  mkdirSync(scratch);
  const session = await openSession({
    layers: [base],
    scratch,
  });
  open.add(session);
  mirrored.set(session, paths.archive);
  await ok(
    session,
    `rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/* /etc/apt/preferences.d/*
     cat >/etc/apt/apt.conf.d/99test <<'END'
# What the machine that made the base turned off, perhaps for a snapshot of Debian, comes with the base.
Acquire::Check-Valid-Until "true";
Acquire::Check-Date "true";
Acquire::IndexTargets::deb::Contents-deb {
  MetaKey "$(COMPONENT)/Contents-$(ARCHITECTURE)";
  ShortDescription "Contents-$(ARCHITECTURE)";
  Description "$(RELEASE)/$(COMPONENT) $(ARCHITECTURE) Contents (deb)";
};
END`,
  );
  return session;
}

async function sh(session: Session, script: string) {
  return session.run(["sh", "-ec", script], { user: "root" });
}

async function ok(session: Session, script: string): Promise<string> {
  const { exitCode, stdout, stderr } = await sh(session, script);
  if (exitCode !== 0) throw new Error(`${script}: ${stdout}${stderr}`);
  return stdout;
}

/** Copies the archive as it is now, and has apt update; returns what apt warns of. */
async function update(session: Session): Promise<string> {
  const copy = join(root, "archive.tar");
  const folder = mirrored.get(session) ?? "";
  execFileSync("tar", ["--create", "--file", copy, "--directory", folder, "."]);
  await ok(session, `rm -rf ${shown}; mkdir ${shown}`);
  const unpack = ["tar", "--extract", "--directory", shown];
  const unpacked = await session.run(unpack, { user: "root", inputFile: copy });
  expect(unpacked).toMatchObject({ exitCode: 0 });
  const { stdout, stderr } = await sh(session, "apt-get update");
  return `${stdout}${stderr}`
    .split("\n")
    .filter((line) => /^(?:W|E|N|Err):?/.test(line))
    .join("\n");
}

const version = (session: Session, name: string) =>
  ok(session, `dpkg-query --show --showformat='\${Version}' ${name}`);

const write = (session: Session, path: string, text: string) =>
  ok(session, `cat >${path} <<'END'\n${text}\nEND`);

/** Another series takes a base of its own, made from the mirror: `npm run test:clients`. */
const series = [
  { series: "bookworm", apt: "apt 2.6." },
  { series: "trixie", apt: "apt 3." },
].slice(0, process.env["UBUNTU_CI_TEST_CLIENTS"] === "all" ? 2 : 1);

describe.each(series)("apt of $series", ({ series, apt }) => {
  let paths: StatePaths;
  let archive: Archive;
  let ticket = 0;

  const publish = async (name: string, of: string) => {
    const built = builtPackages(join(root, "packages"), name, of);
    const pool = aptlyPool(paths, "clients");
    const ppa = `ci_pool-${(ticket += 1)}`;
    await pool.reset(ppa, series);
    await pool.add(ppa, series, [built.source.dsc, ...built.binaries]);
    const builds = ["", "-data", "-installer"].map((end) => `${name}${end}`);
    const what = [{ name, version: of, builds }];
    const result = await archive.publish({ ppa, series }, what, ticket);
    if (result.outcome !== "passed") throw new Error(result.reason);
  };
  const source = async () =>
    aptSource(await archive.repository(series), `file:${shown}`);

  test("goes on through signing anew, a new key and the old one's end, and takes no outdated archive", async (context) => {
    paths = statePaths(join(root, `state-${series}`));
    mkdirSync(paths.root);
    archive = aptlyArchive(paths, "clients");
    await archive.init([series]);
    await publish("tiny", "1.0");
    let base: string;
    try {
      base = await baseOf(series);
    } catch (thrown) {
      context.skip(`there is no base of ${series}: ${String(thrown)}`);
      return;
    }
    // Three kinds of clients: with the first key, with all keys of the day, and with keys for any source,
    // which the Release file's Signed-By narrows down.
    const old = await systemOf(base, paths);
    expect(await ok(old, "apt-get --version")).toContain(apt);
    await write(old, "/etc/apt/sources.list.d/it.sources", await source());
    expect(await update(old)).toBe("");
    await ok(old, "apt-get install -y tiny");
    expect(await version(old, "tiny")).toBe("1.0");
    expect(
      await ok(
        old,
        "cat $(apt-get indextargets --format '$(FILENAME)' 'Created-By: Contents-deb') | /usr/lib/apt/apt-helper cat-file /dev/stdin",
      ),
    ).toMatch(/^usr\/share\/tiny\/text\s+\S*tiny$/m);

    await archive.resign();
    expect(await update(old)).toBe("");
    await ok(old, "apt-get install -y tiny-data");
    expect(await version(old, "tiny-data")).toBe("1.0");

    const loose = await systemOf(base, paths);
    const trust = async () => {
      const { signingKey } = await archive.repository(series);
      await write(loose, "/etc/apt/trusted.gpg.d/it.asc", signingKey);
    };
    await trust();
    await write(
      loose,
      "/etc/apt/sources.list",
      `deb file:${shown} ${series} main`,
    );
    const ofLoose = async () =>
      (await update(loose))
        .split("\n")
        // Debian's own advice for such sources, which are here on purpose.
        .filter((line) => !/^N: |Missing Signed-By/.test(line))
        .join("\n");
    expect(await ofLoose()).toBe("");

    await archive.rotateKey();
    await publish("tiny", "1.1");
    const fresh = await systemOf(base, paths);
    await write(fresh, "/etc/apt/sources.list.d/it.sources", await source());
    for (const client of [old, fresh]) {
      expect(await update(client)).toBe("");
      await ok(client, "apt-get install -y tiny");
      expect(await version(client, "tiny")).toBe("1.1");
    }
    expect(await ofLoose()).toBe("");
    await trust();

    await archive.retireKey();
    await publish("tiny", "1.2");
    expect(await update(fresh)).toBe("");
    await ok(fresh, "apt-get install -y tiny");
    expect(await version(fresh, "tiny")).toBe("1.2");
    expect(await ofLoose()).toBe("");
    expect(await update(old)).toMatch(/GPG error|OpenPGP/);

    // What a mirror that is held back, or somebody in between, would show to a new client.
    const outdated = aptlyArchive(paths, "clients", 1 / 86_400);
    await outdated.resign();
    await vi.waitUntil(
      async () =>
        Date.parse((await outdated.signing())?.endsFirst?.validUntil ?? "") <
        // apt counts whole seconds.
        Date.now() - 1000,
      { timeout: 5000, interval: 200 },
    );
    const late = await systemOf(base, paths);
    await write(late, "/etc/apt/sources.list.d/it.sources", await source());
    expect(await update(late)).toContain("expired");
    expect((await sh(late, "apt-get install -y tiny")).exitCode).not.toBe(0);
    await archive.resign();
    expect(await update(late)).toBe("");
    await ok(late, "apt-get install -y tiny");
  });
});
