import { mkdir, readFile, rm, symlink } from "node:fs/promises";
import { join, relative } from "node:path";

import { packageFile } from "../../debian/package-file.ts";
import { messageOf, notNow } from "../../domain/error.ts";
import { writeFileAtomic } from "../../files/atomic-file.ts";
import { machineArchitecture } from "../../host/architecture.ts";
import type { ExecOptions, ExecResult } from "../../host/exec.ts";
import { describeEnd, exec, lastLines, requireTools } from "../../host/exec.ts";
import { hasCode, ifExists } from "../../files/optional-file.ts";
import { makePublicFolder } from "../../files/public-files.ts";
import type { KeyPaths } from "./signing-key.ts";
import { finishDistribution } from "./sign-release.ts";
import type { PublishedPackage } from "./index-files.ts";

/** Where one repository's aptly works and publishes, and how. */
export interface AptlyRootOptions {
  /** aptly's own folder: database, pool, and a tree to publish to that clients never see. */
  readonly root: string;
  /** The pool that clients see; aptly's files are hard links into it. */
  readonly pool: string;
  readonly keys: KeyPaths;
  /** Origin and Label of the Release files. */
  readonly origin: string;
  /** Milliseconds that Release files are valid for; null: they have no end. */
  readonly validMs: number | null;
  /** Whether there are lists of the files in the packages (Contents-ARCH). */
  readonly contents: boolean;
  /** Whether a pool file may be replaced by another of the same name. */
  readonly replaceFiles: boolean;
  /** Stops aptly; half-done work is repaired by the next call. */
  readonly signal: AbortSignal | undefined;
}

/** What a series is to hold: packages whose files are already in the pool, and files to add. */
export interface Contents {
  readonly kept: readonly PublishedPackage[];
  /** Paths of .dsc, .deb, .udeb and .ddeb files. */
  readonly added: readonly string[];
}

// Far below the 2 MiB limit of an argument list, even with the longest paths.
const filesPerCall = 400;

/**
 * Has aptly publish exactly these contents for a series; returns the signed distribution folder. aptly's
 * database is only a cache of the pool and of what the caller passes: what a killed run left in it is
 * repaired, and if that fails it is rebuilt.
 *
 * @throws UbuntuCiError (75) when aptly fails with a new database, too
 */
export async function publishWithAptly(
  options: AptlyRootOptions,
  series: string,
  contents: Contents,
): Promise<string> {
  try {
    return await publishOnce(options, series, contents);
  } catch (thrown) {
    options.signal?.throwIfAborted();
    // The database is locked by another process, not broken.
    if (messageOf(thrown).includes("temporarily unavailable")) throw thrown;
    await rm(options.root, { recursive: true, force: true });
    return await publishOnce(options, series, contents);
  }
}

/** Has aptly drop packages it no longer publishes, to free their disk space. */
export async function cleanAptly(options: AptlyRootOptions): Promise<void> {
  await aptlyIn(options, await setUp(options)).run(["db", "cleanup"]);
}

async function publishOnce(
  options: AptlyRootOptions,
  series: string,
  { kept, added }: Contents,
): Promise<string> {
  const config = await setUp(options);
  const aptly = aptlyIn(options, config);
  const held = await packagesHeld(aptly, series);
  const wanted = new Map(kept.map((one) => [keyOf(one), one]));
  const extra = [...held].filter((key) => !wanted.has(key));
  if (extra.length > 0) await aptly.run(["repo", "remove", series, ...extra]);
  const missing = [...wanted]
    .filter(([key]) => !held.has(key))
    .flatMap(([, { files }]) => files.map(({ path }) => path))
    .filter((path) => packageFile.test(path))
    .map((path) => join(options.pool, "..", path));
  const files = [...missing, ...added];
  for (let done = 0; done < files.length; done += filesPerCall) {
    const some = files.slice(done, done + filesPerCall);
    await aptly.run(["repo", "add", "-force-replace", series, ...some]);
  }
  await publish(options, aptly, series);
  const made = join(options.root, "public/dists", series);
  await finishDistribution(made, options);
  return made;
}

/** Keys of the packages in aptly's local repository (NAME_VERSION_ARCHITECTURE); creates it if needed. */
async function packagesHeld(
  aptly: Aptly,
  series: string,
): Promise<ReadonlySet<string>> {
  const show = ["repo", "show", "-with-packages", series];
  const shown = await aptly.try(show);
  if (shown.exitCode === 0) {
    const listed = shown.stdout.split("\nPackages:\n")[1] ?? "";
    const keys = listed.split("\n").map((line) => line.trim());
    return new Set(keys.filter((key) => key !== ""));
  }
  if (!`${shown.stdout}${shown.stderr}`.includes("not found"))
    throw failed(show, shown);
  const create = ["-component=main", `-distribution=${series}`, series];
  await aptly.run(["repo", "create", ...create]);
  return new Set();
}

/** Has aptly write the indexes; their Release file is ours, and signed by us. */
async function publish(
  options: AptlyRootOptions,
  aptly: Aptly,
  series: string,
): Promise<void> {
  const common = [
    ...["-batch", "-skip-signing", `-skip-contents=${!options.contents}`],
    ...(options.replaceFiles ? ["-force-overwrite"] : []),
  ];
  const update = [
    ...["publish", "update", ...common, "-skip-cleanup"],
    ...[series, "filesystem:public:."],
  ];
  const updated = await aptly.try(update);
  if (updated.exitCode === 0) return;
  if (!`${updated.stdout}${updated.stderr}`.includes("not found"))
    throw failed(update, updated);
  await aptly.run([
    ...["publish", "repo", ...common, "-acquire-by-hash"],
    `-architectures=${machineArchitecture()},source`,
    ...[`-origin=${options.origin}`, `-label=${options.origin}`],
    ...[series, "filesystem:public:."],
  ]);
}

/** Creates aptly's folder and configuration; returns the configuration's path. */
async function setUp(options: AptlyRootOptions): Promise<string> {
  requireTools(["aptly", "gpg", "xz"]);
  const { root, pool } = options;
  const tree = join(root, "public");
  await mkdir(tree, { recursive: true });
  makePublicFolder(pool);
  const patient = { maxRetries: 10, retryDelay: 20 };
  await rm(temporary(options), { recursive: true, force: true, ...patient });
  await mkdir(temporary(options));
  try {
    await symlink(relative(tree, pool), join(tree, "pool"));
  } catch (thrown) {
    if (!hasCode(thrown, "EEXIST")) throw thrown;
  }
  const config = join(root, "aptly.conf");
  const text = JSON.stringify({
    rootDir: root,
    architectures: [machineArchitecture(), "source"],
    gpgProvider: "gpg",
    skipContentsPublishing: !options.contents,
    skipBz2Publishing: true,
    FileSystemPublishEndpoints: {
      public: { rootDir: tree, linkMethod: "hardlink", verifyMethod: "md5" },
    },
  });
  // aptly needs absolute paths, so the configuration is rewritten when the state folder has moved.
  if ((await ifExists(readFile(config, "utf8"))) !== text)
    await writeFileAtomic(config, text);
  return config;
}

function how(options: AptlyRootOptions): ExecOptions {
  const { signal } = options;
  return {
    env: { TMPDIR: temporary(options) },
    ...(signal !== undefined && { signal }),
  };
}

/** Temporary files of a killed aptly, removed before the next one starts. */
const temporary = ({ root }: AptlyRootOptions) => join(root, "tmp");

interface Aptly {
  try(args: readonly string[]): Promise<ExecResult>;
  /** @throws UbuntuCiError (75) when aptly fails */
  run(args: readonly string[]): Promise<void>;
}

/** Runs aptly, which ends when this process is killed. */
function aptlyIn(options: AptlyRootOptions, config: string): Aptly {
  const command = [
    ...["setpriv", "--pdeathsig", "KILL", "--"],
    ...["aptly", `-config=${config}`],
  ];
  const attempt = (args: readonly string[]) =>
    exec([...command, ...args], how(options));
  return {
    try: attempt,
    async run(args) {
      const result = await attempt(args);
      if (result.exitCode !== 0) throw failed(args, result);
    },
  };
}

function failed(args: readonly string[], result: ExecResult) {
  // aptly prints on stdout what is wrong with a file, and on stderr only that something is wrong.
  const messages = result.stdout
    .split("\n")
    .filter((line) => line.startsWith("[!]"));
  return notNow(
    `aptly ${args.slice(0, 2).join(" ")} ${describeEnd(result)}: ${lastLines([...messages, result.stderr].join("\n"), 6)}`,
  );
}

function keyOf(one: PublishedPackage): string {
  return `${one.name}_${one.version}_${one.architecture}`;
}
