import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { notNow } from "../domain/error.ts";
import { describeEnd, lastLines } from "../host/exec.ts";
import type { Base } from "../host/session/layer.ts";
import type { Bind, Session } from "../host/session/session.ts";
import type { AptRepository } from "./apt-repository.ts";
import { aptVerdict } from "./apt-verdict.ts";
import { repositoryFiles } from "./repository-files.ts";
import { ourFault, packageFault, type Verdict } from "./verdict.ts";
import type { WorkLog } from "./work-log.ts";

/** How apt is set up in a session: binds for opening it, and the environment for every apt-get. */
export interface SessionApt {
  readonly binds: readonly Bind[];
  readonly env: Readonly<Record<string, string>>;
  /** Reads the lists of the repositories; the distribution's are those of the base. */
  prepare(session: Session): Promise<void>;
}

const home = "/run/ubuntu-ci";
const update = ["apt-get", "update", "-qq", "--error-on=any"];

/** The name of our repository that a URI of apt's points into; undefined: the distribution's. */
export function repositoryOf(uri: string): string | undefined {
  const repositories = `file:${home}/repo/`;
  if (!uri.startsWith(repositories)) return undefined;
  return uri.slice(repositories.length).split("/")[0];
}

/**
 * Sets apt up so that nothing of it lands in what the session writes: configuration, sources and
 * lists are in /run, which is a tmpfs. The first repository wins over all others.
 *
 * @param scratch folder on the host for the files that are shown inside
 */
export async function setUpApt(
  base: Base,
  repositories: readonly AptRepository[],
  scratch: string,
  options: { readonly startServices?: boolean } = {},
): Promise<SessionApt> {
  const folder = join(scratch, "apt");
  await mkdir(join(folder, "sources.list.d"), { recursive: true });
  await writeFile(
    join(folder, "sources.list.d/distribution.sources"),
    base.sources,
  );
  const { sources, preferences } = await repositoryFiles(
    repositories,
    (name) => `file:${home}/repo/${name}`,
  );
  await writeFile(join(folder, "sources.list.d/ubuntu-ci.sources"), sources);
  await writeFile(join(folder, "ubuntu-ci.sources"), sources);
  await writeFile(join(folder, "preferences"), preferences);
  await writeFile(
    join(folder, "apt.conf"),
    `Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "${home}/apt/sources.list.d";
Dir::Etc::preferences "${home}/apt/preferences";
Dir::State::lists "${home}/lists";
Dir::Cache::pkgcache "${home}/pkgcache.bin";
Dir::Cache::srcpkgcache "${home}/srcpkgcache.bin";
APT::Sandbox::User "root";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::Retries "3";
DPkg::Options { "--force-unsafe-io"; "--force-confold"; };
${base.acquire}`,
  );
  const binds: Bind[] = [
    { from: folder, to: `${home}/apt`, writable: false },
    ...repositories.map(({ name, root }) => ({
      from: root,
      to: `${home}/repo/${name}`,
      writable: false,
    })),
  ];
  if (options.startServices !== true) {
    // Services must not start in a build or an image (invoke-rc.d(8)); the file is only shown, never written.
    await writeFile(join(scratch, "policy-rc.d"), "#!/bin/sh\nexit 101\n", {
      mode: 0o755,
    });
    binds.push({
      from: join(scratch, "policy-rc.d"),
      to: "/usr/sbin/policy-rc.d",
      writable: false,
    });
  }
  const env = {
    APT_CONFIG: `${home}/apt/apt.conf`,
    DEBIAN_FRONTEND: "noninteractive",
  };
  return {
    binds,
    env,
    async prepare(session) {
      const linked = await session.run([
        ...[
          "sh",
          "-c",
          'mkdir -p "$1/partial" && find /var/lib/apt/lists -maxdepth 1 -type f ! -name lock -exec ln -s -t "$1" {} +',
          "sh",
          `${home}/lists`,
        ],
      ]);
      if (linked.exitCode !== 0)
        throw notNow(
          `package lists cannot be set up in a session: ${lastLines(linked.stderr)}`,
        );
      if (repositories.length === 0) return;
      const only = [
        "-o",
        `Dir::Etc::sourcelist=${home}/apt/ubuntu-ci.sources`,
        "-o",
        "Dir::Etc::sourceparts=/dev/null",
      ];
      const updated = await session.run(
        [...update, ...only, "-o", "APT::Get::List-Cleanup=0"],
        { env },
      );
      if (updated.exitCode !== 0) {
        throw notNow(
          `the PPA or the archive cannot be read in a session: ${lastLines(updated.stderr || updated.stdout)}`,
        );
      }
    },
  };
}

/**
 * Runs `apt-get ARGS --print-uris` inside and returns what it printed.
 *
 * @throws Verdict with apt's words when what is asked cannot be installed
 */
export async function askApt(
  session: Session,
  apt: SessionApt,
  args: readonly string[],
  log: WorkLog,
  signal: AbortSignal,
): Promise<string> {
  // Not -qq: that keeps apt's explanations back. SHA-256 because layers are named after it.
  const argv = [
    ...["apt-get", "-q", "--print-uris"],
    ...["-o", "Acquire::ForceHash=SHA256", ...args],
  ];
  const asked = await session.run(argv, { env: apt.env, signal });
  signal.throwIfAborted();
  const output = asked.stdout + asked.stderr;
  await log.write(`$ ${argv.join(" ")}\n${output}`);
  if (asked.exitCode !== 0) throw aptFailure(output);
  return asked.stdout;
}

/**
 * Runs apt-get inside with the network. When a file is gone from the mirror, the package lists are
 * read anew and it is tried once more.
 *
 * @throws Verdict when it fails: the package's fault or ours, as apt's words tell
 */
export async function runApt(
  session: Session,
  apt: SessionApt,
  args: readonly string[],
  log: WorkLog,
  signal: AbortSignal,
): Promise<void> {
  const argv = ["apt-get", "-q", "-y", ...args];
  for (const again of [true, false]) {
    await log.write(`$ ${argv.join(" ")}\n`);
    const ended = await session.run(argv, {
      env: apt.env,
      network: true,
      signal,
    });
    const output = ended.stdout + ended.stderr;
    await log.write(output);
    signal.throwIfAborted();
    if (ended.exitCode === 0) return;
    if (!again || !aptVerdict(output).stale) throw aptFailure(output);
    await log.write("the mirror has moved on: reading its lists anew\n");
    const updated = await session.run(update, {
      env: apt.env,
      network: true,
      logFile: log.path,
      signal,
    });
    if (updated.exitCode !== 0) {
      throw notNow(
        `the mirror cannot be read: apt-get update ${describeEnd(updated)}`,
        "see whether it can be reached; a retry is due",
      );
    }
  }
}

function aptFailure(output: string): Verdict {
  const { blame, line } = aptVerdict(output);
  return blame === "package" ? packageFault(line) : ourFault(line);
}
