import { notNow } from "../domain/error.ts";
import { describeEnd, lastLines } from "../host/exec.ts";
import { watchMachine } from "../host/shortage.ts";
import type { Base } from "../session/layer.ts";
import type {
  Bind,
  GivenFile,
  NetworkPolicy,
  Session,
} from "../session/session.ts";
import { type AptRepository, repositoriesInside } from "./apt-repository.ts";
import { aptVerdict, dpkgFailure, readPrintUris } from "./apt-verdict.ts";
import { repositoryFiles } from "./repository-files.ts";
import { ourFault, packageFault, type Verdict } from "./verdict.ts";
import type { LiveLog } from "./live-log.ts";

/** apt in a session: what to open the session with, and the environment of every apt-get. */
export interface SessionApt {
  readonly binds: readonly Bind[];
  readonly given: readonly GivenFile[];
  /** The network that apt needs to fetch. */
  readonly network: NetworkPolicy;
  readonly env: Readonly<Record<string, string>>;
  /** Updates the package lists of our repositories; those of the distribution come from the base. */
  prepare(session: Session): Promise<void>;
}

const home = "/run/ubuntu-ci";
/** Where local repositories are bound, each in a folder of its name. */
const places = `${home}/repo`;
/** Our configuration, a given file of the session, so that it ends up in no image. */
const configuration = "/usr/lib/ubuntu-ci/apt";
const update = ["apt-get", "update", "-qq", "--error-on=any"];

/** The name of our repository that a URI belongs to; undefined for the distribution. */
export function repositoryOf(uri: string): string | undefined {
  const repositories = `file:${places}/`;
  if (!uri.startsWith(repositories)) return undefined;
  return uri.slice(repositories.length).split("/")[0];
}

/** The hosts that apt needs for a base: those of its sources, and proxies. */
function hostsOf(base: Pick<Base, "sources" | "acquire">): string[] {
  const found = new Set<string>();
  for (const word of `${base.sources}\n${base.acquire}`.split(/[\s";]+/)) {
    const uri = word.replace(/^[a-z]{1,20}\+/, "");
    if (/^(?:https?|ftp):\/\//.test(uri) && URL.canParse(uri))
      found.add(new URL(uri).hostname);
  }
  return [...found];
}

/** apt in a testbed, which has it as a system of its own would: what to open the session with. */
export interface TestbedApt {
  readonly binds: readonly Bind[];
  readonly given: readonly GivenFile[];
  readonly network: NetworkPolicy;
  /** Updates the package lists of our repositories; with `all` those of the distribution, too. */
  update(session: Session, all: boolean): Promise<void>;
}

/**
 * Sets apt up with plain files in /etc/apt, beside those of the image, which a test may read and change.
 * The first repository has priority over all others.
 *
 * @param allow private networks that sessions may reach
 */
export async function setUpTestbedApt(
  base: Base,
  repositories: readonly AptRepository[],
  allow: readonly string[],
): Promise<TestbedApt> {
  const { binds, uriOf } = repositoriesInside(repositories, places);
  const { sources, preferences } = await repositoryFiles(repositories, uriOf);
  const own = "/etc/apt/sources.list.d/ubuntu-ci.sources";
  const given = Object.entries({
    [own]: sources,
    "/etc/apt/preferences.d/ubuntu-ci": preferences,
    "/etc/apt/apt.conf.d/90ubuntu-ci": base.acquire,
  }).map(([path, contents]) => ({ path, contents }));
  return {
    binds,
    given,
    network: { reach: "internet", hosts: hostsOf(base), allow },
    async update(session, all) {
      const only = [
        `Dir::Etc::sourcelist=${own}`,
        "Dir::Etc::sourceparts=/dev/null",
        "APT::Get::List-Cleanup=0",
        // A cache of these lists alone would only have to be made again.
        "Dir::Cache::pkgcache=",
        "Dir::Cache::srcpkgcache=",
      ].flatMap((option) => ["-o", option]);
      const updated = await session.run([...update, ...(all ? [] : only)], {
        network: all,
      });
      if (updated.exitCode !== 0)
        throw notNow(
          `package lists cannot be read in a testbed: ${lastLines(updated.stderr || updated.stdout)}`,
        );
    },
  };
}

/**
 * Sets apt up without traces in what the session writes: configuration and sources are given files,
 * the lists are in /run, a tmpfs. The first repository has priority over all others.
 *
 * @param allow private networks that sessions may reach
 */
export async function setUpApt(
  base: Base,
  repositories: readonly AptRepository[],
  allow: readonly string[],
): Promise<SessionApt> {
  const { binds, uriOf } = repositoriesInside(repositories, places);
  const { sources, preferences } = await repositoryFiles(repositories, uriOf);
  const given: GivenFile[] = Object.entries({
    "sources.list.d/distribution.sources": base.sources,
    "sources.list.d/ubuntu-ci.sources": sources,
    "ubuntu-ci.sources": sources,
    preferences,
    "apt.conf": `Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "${configuration}/sources.list.d";
Dir::Etc::preferences "${configuration}/preferences";
Dir::State::lists "${home}/lists";
Dir::Cache::pkgcache "${home}/pkgcache.bin";
Dir::Cache::srcpkgcache "${home}/srcpkgcache.bin";
APT::Sandbox::User "root";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::Retries "3";
DPkg::Options { "--force-unsafe-io"; "--force-confold"; };
${base.acquire}`,
  }).map(([name, contents]) => ({
    path: `${configuration}/${name}`,
    contents,
  }));
  // Keeps services from starting in a build or an image (invoke-rc.d(8)).
  given.push({
    path: "/usr/sbin/policy-rc.d",
    contents: "#!/bin/sh\nexit 101\n",
    mode: 0o755,
  });
  const env = {
    APT_CONFIG: `${configuration}/apt.conf`,
    DEBIAN_FRONTEND: "noninteractive",
  };
  const network = { reach: "internet", hosts: hostsOf(base), allow } as const;
  return {
    binds,
    given,
    network,
    env,
    async prepare(session) {
      const linked = await session.run([
        ...["sh", "-c"],
        'mkdir -p "$1/partial" && find /var/lib/apt/lists -maxdepth 1 -type f ! -name lock -exec ln -s -t "$1" {} +',
        ...["sh", `${home}/lists`],
      ]);
      if (linked.exitCode !== 0)
        throw notNow(
          `package lists cannot be set up in a session: ${lastLines(linked.stderr)}`,
        );
      if (repositories.length === 0) return;
      const only = [
        `Dir::Etc::sourcelist=${configuration}/ubuntu-ci.sources`,
        "Dir::Etc::sourceparts=/dev/null",
        "APT::Get::List-Cleanup=0",
      ].flatMap((option) => ["-o", option]);
      const updated = await session.run([...update, ...only], { env });
      if (updated.exitCode !== 0) {
        throw notNow(
          `the PPA or the archive cannot be read in a session: ${lastLines(updated.stderr || updated.stdout)}`,
        );
      }
    },
  };
}

/**
 * Runs `apt-get ARGS --print-uris` in the session and returns its output, the plan.
 *
 * @throws Verdict with apt's message when the packages cannot be installed
 */
export async function askApt(
  session: Session,
  apt: SessionApt,
  args: readonly string[],
  log: LiveLog,
  signal: AbortSignal,
): Promise<string> {
  // -qq would suppress apt's explanations. SHA-256, since layers are named after these hashes.
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
 * Runs apt-get in the session: it downloads with the network, and installs without, since packages run
 * code of their own then. When a file is gone from the mirror, it updates the package lists, plans
 * again, and tries once more.
 *
 * @param plan the output of {@link askApt} for the same arguments
 * @param beforeUnpacking is done once nothing needs the network any more
 * @returns the plan that was carried out
 * @throws Verdict when it fails, our fault or the package's according to apt's messages
 */
export async function runApt(
  session: Session,
  apt: SessionApt,
  args: readonly string[],
  plan: string,
  log: LiveLog,
  signal: AbortSignal,
  beforeUnpacking: () => Promise<void> = () => Promise.resolve(),
): Promise<string> {
  let carriedOut = plan;
  const run = async (more: readonly string[], network: boolean) => {
    const argv = ["apt-get", "-q", "-y", ...more, ...args];
    await log.write(`$ ${argv.join(" ")}\n`);
    const ended = await session.run(argv, { env: apt.env, network, signal });
    const output = ended.stdout + ended.stderr;
    await log.write(output);
    signal.throwIfAborted();
    if (ended.tooLong)
      throw packageFault("its packages print too much while apt installs them");
    return { passed: ended.exitCode === 0, output };
  };
  // Files of our repositories need no download: apt reads them in place.
  const isLocal = readPrintUris(plan).every(
    ({ uri }) => repositoryOf(uri) !== undefined,
  );
  for (let again = true; !isLocal; again = false) {
    const fetched = await run(["--download-only"], true);
    if (fetched.passed) break;
    if (!again || !aptVerdict(fetched.output).stale)
      throw aptFailure(fetched.output);
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
    // The plan would leave out files that have been downloaded.
    await session.run(["apt-get", "clean"], { env: apt.env, signal });
    carriedOut = await askApt(session, apt, args, log, signal);
  }
  await session.disconnect();
  await beforeUnpacking();
  const machine = await watchMachine(session.upper);
  const unpacked = await run([], false);
  if (!unpacked.passed)
    throw installFailure(unpacked.output, await machine.shortage());
  return carriedOut;
}

/** What packages print while they are installed is theirs: it does not blame the machine. */
function installFailure(output: string, shortage: string | undefined): Verdict {
  const why = dpkgFailure(output);
  if (shortage !== undefined)
    return ourFault(`${shortage}: ${why ?? aptVerdict(output).line}`);
  return why === undefined ? aptFailure(output) : packageFault(why);
}

function aptFailure(output: string): Verdict {
  const { blame, line } = aptVerdict(output);
  return blame === "package" ? packageFault(line) : ourFault(line);
}
