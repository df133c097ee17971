import { mkdir, readFile, rm, symlink } from "node:fs/promises";
import { join, relative } from "node:path";

import { messageOf, notNow } from "../../domain/error.ts";
import { writeFileAtomic } from "../../files/atomic-file.ts";
import { machineArchitecture } from "../../host/architecture.ts";
import type { ExecOptions } from "../../host/exec.ts";
import { describeEnd, exec, lastLines, requireTools } from "../../host/exec.ts";
import { ifExists } from "../../files/optional-file.ts";
import { makePublicFolder } from "../../files/public-files.ts";
import type { KeyPaths } from "./signing-key.ts";
import { execSigning, readSigningKey } from "./signing-key.ts";
import type { PublishedPackage } from "./index-files.ts";

/** Where one repository's aptly is, what it publishes to, and how. */
export interface AptlyRootOptions {
  /** aptly's own folder: database, pool, and the tree it publishes to, which no client sees. */
  readonly root: string;
  /** The pool that clients see; aptly's files are hard links into it. */
  readonly pool: string;
  readonly keys: KeyPaths;
  /** Origin and Label of the Release files. */
  readonly origin: string;
  /** Whether a file of the pool may be replaced by another of the same name. */
  readonly replaceFiles: boolean;
  /** Ends aptly; what it left half done is put right the next time. */
  readonly signal: AbortSignal | undefined;
}

/** What a series shall hold: packages whose files are in the pool already, and files to add. */
export interface Contents {
  readonly kept: readonly PublishedPackage[];
  /** Paths of .dsc, .deb, .udeb and .ddeb files. */
  readonly added: readonly string[];
}

// Far below the 2 MiB that an argument list may have, with the longest paths.
const filesPerCall = 400;

/**
 * Makes aptly publish exactly these contents for a series and returns the signed distribution
 * folder. aptly's database is no more than a cache of what the pool and the caller know: whatever a
 * killed run left in it is put right, and when aptly can't, it is made anew.
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
    // Another process holds the database: it is in use, not broken.
    if (messageOf(thrown).includes("temporarily unavailable")) throw thrown;
    await rm(options.root, { recursive: true, force: true });
    return await publishOnce(options, series, contents);
  }
}

/** Has aptly give up the packages that it does not publish any more: their files take space there, too. */
export async function cleanAptly(options: AptlyRootOptions): Promise<void> {
  const args = ["db", "cleanup"];
  const cleaned = await exec(command(await setUp(options), args), how(options));
  if (cleaned.exitCode !== 0) throw failed(args, cleaned);
}

async function publishOnce(
  options: AptlyRootOptions,
  series: string,
  { kept, added }: Contents,
): Promise<string> {
  const config = await setUp(options);
  const aptly = async (args: readonly string[]) => {
    const result = await exec(command(config, args), how(options));
    if (result.exitCode !== 0) throw failed(args, result);
  };
  const held = await packagesHeld(options, config, series);
  const wanted = new Map(kept.map((one) => [keyOf(one), one]));
  const extra = [...held].filter((key) => !wanted.has(key));
  if (extra.length > 0) await aptly(["repo", "remove", series, ...extra]);
  const missing = [...wanted]
    .filter(([key]) => !held.has(key))
    .flatMap(([, { files }]) => files.map(({ path }) => path))
    .filter((path) => /\.(dsc|u?deb|ddeb)$/.test(path))
    .map((path) => join(options.pool, "..", path));
  const files = [...missing, ...added];
  for (let done = 0; done < files.length; done += filesPerCall) {
    const some = files.slice(done, done + filesPerCall);
    await aptly(["repo", "add", "-force-replace", series, ...some]);
  }
  await publish(options, config, series);
  return join(options.root, "public/dists", series);
}

/** Packages that aptly's local repository holds, as NAME_VERSION_ARCHITECTURE; made if need be. */
async function packagesHeld(
  options: AptlyRootOptions,
  config: string,
  series: string,
): Promise<ReadonlySet<string>> {
  const show = ["repo", "show", "-with-packages", series];
  const shown = await exec(command(config, show), how(options));
  if (shown.exitCode === 0) {
    const listed = shown.stdout.split("\nPackages:\n")[1] ?? "";
    const keys = listed.split("\n").map((line) => line.trim());
    return new Set(keys.filter((key) => key !== ""));
  }
  if (!`${shown.stdout}${shown.stderr}`.includes("not found"))
    throw failed(show, shown);
  const create = ["-component=main", `-distribution=${series}`, series];
  const made = await exec(
    command(config, ["repo", "create", ...create]),
    how(options),
  );
  if (made.exitCode !== 0) throw failed(["repo", "create"], made);
  return new Set();
}

async function publish(
  options: AptlyRootOptions,
  config: string,
  series: string,
): Promise<void> {
  const { fingerprint } = await readSigningKey(options.keys.gnupg);
  const signing = ["-batch", `-gpg-key=${fingerprint}`, "-skip-contents"];
  const overwrite = options.replaceFiles ? ["-force-overwrite"] : [];
  const run = (args: readonly string[]) =>
    execSigning(
      options.keys,
      ["aptly", `-config=${config}`, ...args],
      how(options),
    );
  const update = [
    ...["publish", "update", ...signing, ...overwrite, "-skip-cleanup"],
    ...[series, "filesystem:public:."],
  ];
  const updated = await run(update);
  if (updated.exitCode === 0) return;
  if (!`${updated.stdout}${updated.stderr}`.includes("not found"))
    throw failed(update, updated);
  const first = [
    ...["publish", "repo", ...signing, ...overwrite, "-acquire-by-hash"],
    `-architectures=${machineArchitecture()},source`,
    ...[`-origin=${options.origin}`, `-label=${options.origin}`],
    ...[series, "filesystem:public:."],
  ];
  const published = await run(first);
  if (published.exitCode !== 0) throw failed(first, published);
}

/** Makes aptly's folder and its configuration, and returns the configuration's path. */
async function setUp(options: AptlyRootOptions): Promise<string> {
  requireTools(["aptly", "gpg"]);
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
    if ((thrown as NodeJS.ErrnoException).code !== "EEXIST") throw thrown;
  }
  const config = join(root, "aptly.conf");
  const text = JSON.stringify({
    rootDir: root,
    architectures: [machineArchitecture(), "source"],
    gpgProvider: "gpg",
    skipContentsPublishing: true,
    skipBz2Publishing: true,
    FileSystemPublishEndpoints: {
      public: { rootDir: tree, linkMethod: "hardlink", verifyMethod: "md5" },
    },
  });
  // Written again when the state folder was moved: aptly wants absolute paths.
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

/** A killed aptly leaves its temporary files, which the next one's setting up takes away. */
const temporary = ({ root }: AptlyRootOptions) => join(root, "tmp");

/** aptly must not go on in the background when this process is killed. */
function command(config: string, args: readonly string[]): string[] {
  const [verb = "", what = "", ...more] = args;
  return [
    ...["setpriv", "--pdeathsig", "KILL", "--"],
    ...["aptly", `-config=${config}`, verb, what, ...more],
  ];
}

function failed(
  args: readonly string[],
  result: Awaited<ReturnType<typeof exec>>,
) {
  // aptly says what is wrong with a file on stdout, and that something is wrong on stderr.
  const complaints = result.stdout
    .split("\n")
    .filter((line) => line.startsWith("[!]"));
  return notNow(
    `aptly ${args.slice(0, 2).join(" ")} ${describeEnd(result)}: ${lastLines([...complaints, result.stderr].join("\n"), 6)}`,
  );
}

function keyOf(one: PublishedPackage): string {
  return `${one.name}_${one.version}_${one.architecture}`;
}
