import { mkdir, mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { notNow } from "../../domain/error.ts";
import { digestFile } from "../../files/atomic-file.ts";
import { describeEnd, exec, lastLines } from "../../host/exec.ts";
import { type AptRepository, fileUri, folderOf } from "../apt-repository.ts";
import { aptSource } from "./apt-source.ts";
import type { PublishedPackage } from "./index-files.ts";

/**
 * Checks a repository as a client would: apt-get with no other source verifies the signature and
 * indexes, offers each package at exactly that version, and names a file with the right size and digest.
 *
 * @param expected packages that it has to offer; others are not checked
 * @param scratch emptied first, and removed afterwards
 * @throws UbuntuCiError (75) saying what a client would not get
 */
export async function checkAsClient(
  repository: AptRepository,
  expected: readonly PublishedPackage[],
  scratch: string,
  signal?: AbortSignal,
): Promise<void> {
  await removed(scratch);
  await mkdir(scratch, { recursive: true });
  // A new path each time: apt's methods may outlive a killed check for a moment and still write.
  const folder = await mkdtemp(join(scratch, "apt-"));
  let tree;
  try {
    // apt names a list after the repository's whole path, and a file name has at most 255 bytes.
    tree = await open(folderOf(repository));
    const root = `/proc/${process.pid}/fd/${tree.fd}`;
    const apt = await client(
      { ...repository, uri: fileUri(root) },
      folder,
      signal,
    );
    await apt(["update"]);
    // apt does not know installer packages (.udeb), so only their files are checked.
    const known = expected.filter(({ files }) =>
      files.every(({ path }) => !path.endsWith(".udeb")),
    );
    const of = (kind: PublishedPackage["kind"]) =>
      known.filter((candidate) => candidate.kind === kind);
    await Promise.all([
      offered(repository, root, of("binary"), (names) =>
        apt(["--print-uris", "download", ...names]),
      ),
      offered(repository, root, of("source"), (names) =>
        apt(["--print-uris", "--download-only", "source", ...names]),
      ),
      ...expected.flatMap(({ files }) =>
        files.map((file) => isThere(repository, file)),
      ),
    ]);
  } finally {
    await tree?.close();
    await removed(scratch);
  }
}

/** Removes a folder into which a dying process may still be writing. */
async function removed(folder: string): Promise<void> {
  const patient = { maxRetries: 10, retryDelay: 20 };
  await rm(folder, { recursive: true, force: true, ...patient });
}

type Apt = (args: readonly string[]) => Promise<string>;

/** An apt-get that knows only this repository and writes only into that folder. */
async function client(
  repository: AptRepository,
  folder: string,
  signal: AbortSignal | undefined,
): Promise<Apt> {
  for (const path of [
    "etc/apt.conf.d",
    "state/lists/partial",
    "cache/archives/partial",
  ])
    await mkdir(join(folder, path), { recursive: true });
  const config = join(folder, "apt.conf");
  await writeFile(join(folder, "status"), "");
  await writeFile(join(folder, "etc/it.sources"), aptSource(repository));
  const settings = {
    Dir: folder,
    "Dir::Etc": join(folder, "etc"),
    "Dir::Etc::sourcelist": "/dev/null",
    "Dir::Etc::sourceparts": join(folder, "etc"),
    "Dir::Etc::trusted": "/dev/null",
    "Dir::Etc::trustedparts": "/dev/null",
    "Dir::Etc::preferencesparts": "/dev/null",
    "Dir::State": join(folder, "state"),
    "Dir::State::status": join(folder, "status"),
    "Dir::Cache": join(folder, "cache"),
    "Dir::Bin::methods": "/usr/lib/apt/methods",
    "Dir::Bin::dpkg": "/usr/bin/dpkg",
    "Dir::Bin::solvers": "/usr/lib/apt/solvers",
    "Dir::Bin::planners": "/usr/lib/apt/planners",
    "Acquire::Languages": "none",
    // This machine's own sources, perhaps a snapshot of Debian, may need it otherwise.
    "Acquire::Check-Valid-Until": "true",
    "Acquire::Check-Date": "true",
    // Otherwise apt, started by root, would read as _apt, which cannot enter the state folder.
    "APT::Sandbox::User": "",
  };
  const lines = Object.entries(settings).map(
    ([key, value]) => `${key} ${JSON.stringify(value)};\n`,
  );
  await writeFile(config, lines.join(""));
  return async (args) => {
    const argv = [
      // apt-get ends when this process is killed.
      ...["setpriv", "--pdeathsig", "KILL", "--"],
      ...["apt-get", "-q", ...args],
    ];
    const result = await exec(argv, {
      cleanEnv: true,
      env: {
        PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
        LC_ALL: "C.UTF-8",
        APT_CONFIG: config,
        TMPDIR: folder,
      },
      cwd: folder,
      timeoutMs: 120_000,
      ...(signal !== undefined && { signal }),
    });
    // apt reports some failures only as warnings, such as an index that it could not fetch.
    if (result.exitCode !== 0 || /^[WE]:/m.test(result.stderr)) {
      throw notNow(
        `the published tree of ${repository.name} does not hold as apt sees it: apt-get ${args[0] ?? ""} ${describeEnd(result)}: ${lastLines(result.stderr)}`,
      );
    }
    return result.stdout;
  };
}

/** `'URI' FILE SIZE ALGORITHM:HASH`, as --print-uris prints. */
const uriLine = /^'(?<uri>[^']+)' (?<file>\S+) (?<size>[0-9]+) /;

async function offered(
  repository: AptRepository,
  root: string,
  expected: readonly PublishedPackage[],
  ask: (names: readonly string[]) => Promise<string>,
): Promise<void> {
  if (expected.length === 0) return;
  const names = expected.map(({ name }) => name);
  const seen = new Map<string, number>();
  for (const line of (await ask(names)).split("\n")) {
    const groups = uriLine.exec(line)?.groups;
    if (groups === undefined) continue;
    seen.set(
      decodeURIComponent(groups["uri"] ?? "").replace(/^file:(?:\/\/)?/, ""),
      Number(groups["size"]),
    );
  }
  for (const { name, version, files } of expected) {
    for (const { path, size } of files) {
      // In a file name an epoch's colon is escaped twice.
      const sizeSeen = seen.get(decodeURIComponent(join(root, path)));
      if (sizeSeen !== size) {
        throw notNow(
          `a client of ${repository.name} does not get ${name} ${version}: ${sizeSeen === undefined ? "apt offers another version" : `apt sees ${sizeSeen} bytes of ${path}, not ${size}`}`,
        );
      }
    }
  }
}

async function isThere(
  repository: AptRepository,
  file: { path: string; size: number; sha256: string },
): Promise<void> {
  const path = join(folderOf(repository), file.path);
  const { size, sha256 } = await digestFile(path);
  if (size !== file.size || sha256 !== file.sha256)
    throw notNow(`${path} is not the file that the index of its archive names`);
}
