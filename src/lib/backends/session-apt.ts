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
export interface SessionApt extends AptSetUp {
  readonly env: Readonly<Record<string, string>>;
  /** Updates the package lists of our repositories; those of the distribution come from the base. */
  prepare(session: Session): Promise<void>;
}

const home = "/run/ubuntu-ci";
/** Where local repositories are bound, each in a folder of its name. */
const places = `${home}/repo`;
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
export interface TestbedApt extends AptSetUp {
  /** Updates the package lists of our repositories; with `all` those of the distribution, too. */
  update(session: Session, all: boolean): Promise<void>;
}

/** What to open a session with, so that apt in it knows our repositories. */
interface AptSetUp {
  readonly binds: readonly Bind[];
  readonly given: readonly GivenFile[];
  /** The network that apt needs to fetch. */
  readonly network: NetworkPolicy;
}

const ownSources = "/etc/apt/sources.list.d/ubuntu-ci.sources";

/** Options of an update of our repositories alone. */
const ownAlone = [
  `Dir::Etc::sourcelist=${ownSources}`,
  "Dir::Etc::sourceparts=/dev/null",
  "APT::Get::List-Cleanup=0",
  // A cache of these lists alone would only have to be made again.
  "Dir::Cache::pkgcache=",
  "Dir::Cache::srcpkgcache=",
].flatMap((option) => ["-o", option]);

/**
 * Plain files in /etc/apt, beside those of the base, which whatever runs inside may read and change. The
 * first repository has priority over all others.
 *
 * @param allow private networks that sessions may reach
 */
async function aptFiles(
  base: Base,
  repositories: readonly AptRepository[],
  allow: readonly string[],
  options = "",
): Promise<AptSetUp> {
  const { binds, uriOf } = repositoriesInside(repositories, places);
  const { sources, preferences } = await repositoryFiles(repositories, uriOf);
  const given = Object.entries({
    [ownSources]: sources,
    "/etc/apt/preferences.d/ubuntu-ci": preferences,
    "/etc/apt/apt.conf.d/90ubuntu-ci": `${options}${base.acquire}`,
  }).map(([path, contents]) => ({ path, contents }));
  return {
    binds,
    given,
    network: { reach: "internet", hosts: hostsOf(base), allow },
  };
}

/** Sets apt up for a testbed. The parameters are those of {@link aptFiles}. */
export async function setUpTestbedApt(
  base: Base,
  repositories: readonly AptRepository[],
  allow: readonly string[],
): Promise<TestbedApt> {
  return {
    ...(await aptFiles(base, repositories, allow)),
    async update(session, all) {
      const updated = await session.run([...update, ...(all ? [] : ownAlone)], {
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
 * Sets apt up for a build or an image, without traces in what the session writes: its configuration is
 * given files, its lists and caches are in /run, a tmpfs. The parameters are those of {@link aptFiles}.
 */
export async function setUpApt(
  base: Base,
  repositories: readonly AptRepository[],
  allow: readonly string[],
): Promise<SessionApt> {
  const files = await aptFiles(
    base,
    repositories,
    allow,
    `Dir::State::lists "${home}/lists";
Dir::Cache::pkgcache "${home}/pkgcache.bin";
Dir::Cache::srcpkgcache "${home}/srcpkgcache.bin";
APT::Sandbox::User "root";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::Retries "3";
DPkg::Options { "--force-unsafe-io"; "--force-confold"; };
`,
  );
  // Keeps services from starting in a build or an image (invoke-rc.d(8)).
  const noServices: GivenFile = {
    path: "/usr/sbin/policy-rc.d",
    contents: "#!/bin/sh\nexit 101\n",
    mode: 0o755,
  };
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  return {
    ...files,
    given: [...files.given, noServices],
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
      const updated = await session.run([...update, ...ownAlone], { env });
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
