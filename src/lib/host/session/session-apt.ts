import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { notNow } from "../../domain/error.ts";
import { describeEnd, lastLines } from "../exec.ts";
import type { Base } from "./layer.ts";
import type { Bind, RunOptions, Session } from "./session.ts";

/** A signed apt repository on this machine that a session shall use. */
export interface SessionRepository {
  readonly name: string;
  readonly root: string;
  readonly suite: string;
  readonly component: string;
  readonly signingKey: string;
}

/** How apt is set up in a session: binds for opening it, and the environment for every apt-get. */
export interface SessionApt {
  readonly binds: readonly Bind[];
  readonly env: Readonly<Record<string, string>>;
  /** Reads the lists of the repositories; the distribution's are those of the base. */
  prepare(session: Session): Promise<void>;
  /** Reads the distribution's lists anew: the mirror has moved on since the base was made. */
  refresh(
    session: Session,
    options?: Pick<RunOptions, "logFile" | "signal">,
  ): Promise<void>;
}

const home = "/run/ubuntu-ci";

/** What of apt's configuration makes repositories known, the first of them winning over all else. */
export interface RepositoryFiles {
  /** deb822 sources, each with its key in it. */
  readonly sources: string;
  /** apt_preferences(5). */
  readonly preferences: string;
}

/** Writes apt's files for repositories; `uriOf` is where apt finds one. */
export async function repositoryFiles(
  repositories: readonly SessionRepository[],
  uriOf: (name: string) => string,
): Promise<RepositoryFiles> {
  const [first] = repositories;
  return {
    sources: repositories
      .map((repository) => repositorySource(repository, uriOf(repository.name)))
      .join("\n"),
    preferences:
      first === undefined
        ? ""
        : `Package: *\nPin: release l=${await labelOf(first)}\nPin-Priority: 1001\n`,
  };
}

/**
 * Sets apt up so that nothing of it lands in what the session writes: configuration, sources and
 * lists are in /run, which is a tmpfs. The first repository wins over all others.
 *
 * @param scratch folder on the host for the files that are shown inside
 */
export async function setUpApt(
  base: Base,
  repositories: readonly SessionRepository[],
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
  const update = ["apt-get", "update", "-qq", "--error-on=any"];
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
    async refresh(session, io = {}) {
      const updated = await session.run(update, { env, network: true, ...io });
      if (updated.exitCode !== 0) {
        throw notNow(
          `the mirror cannot be read: apt-get update ${describeEnd(updated)}`,
          "see whether it can be reached; a retry is due",
        );
      }
    },
  };
}

/** `file:` sources have no host to pin by (apt_preferences(5)): the label of the Release file does. */
async function labelOf({ root, suite }: SessionRepository): Promise<string> {
  const file = join(root, "dists", suite, "Release");
  const label = /^Label: *(\S.*?) *$/m.exec(await readFile(file, "utf8"))?.[1];
  // Without a pin the distribution's package could win without a word.
  if (label === undefined) throw notNow(`${file} has no Label to pin by`);
  return label;
}

function repositorySource(
  { suite, component, signingKey }: SessionRepository,
  uri: string,
): string {
  const key = signingKey
    .trimEnd()
    .split("\n")
    .map((line) => (line.trim() === "" ? " ." : ` ${line.trimEnd()}`));
  return [
    "Types: deb",
    `URIs: ${uri}`,
    `Suites: ${suite}`,
    `Components: ${component}`,
    "Signed-By:",
    ...key,
    "",
  ].join("\n");
}
