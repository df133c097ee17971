import { existsSync, lstatSync, readFileSync, readlinkSync } from "node:fs";
import {
  access,
  appendFile,
  constants,
  readdir,
  readFile,
  rename,
  rm,
} from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { setTimeout } from "node:timers/promises";

import {
  ExitCode,
  notNow,
  refused,
  UbuntuCiError,
} from "../../domain/error.ts";
import type { Account } from "../account.ts";
import { describeEnd, exec, lastLines } from "../exec.ts";

/** Where the new code comes from, decided. */
export type Target =
  | {
      readonly kind: "commit";
      readonly commit: string;
      /** What the user called it. */
      readonly name: string;
      /** The branch the checkout will be on, or null: none. */
      readonly branch: string | null;
      readonly remote: string | null;
    }
  | { readonly kind: "tarball"; readonly file: string; readonly name: string };

/** What a folder of the program says about itself. */
export interface ProgramVersion {
  readonly version: string;
  /** Null when it is no git checkout. */
  readonly commit: string | null;
}

/** How tools are run on the program's files: as who, where they write, when to stop. */
export interface Tools {
  /** Root runs tools as who owns the program; null: as this process. */
  readonly account: Account | null;
  readonly log: string | null;
  /** The upgrade they are part of: it is in their environment, and in that of all that they start. */
  readonly id: string | null;
  readonly signal?: AbortSignal;
}

const minute = 60_000;

/** Environment variable that tells what belongs to an upgrade, wherever it was left behind. */
const mark = "UBUNTU_CI_UPGRADE";

/**
 * Runs a tool on the program's files and returns what it printed; the log has it too.
 *
 * @throws UbuntuCiError (75) with the end of its output when it fails
 */
export async function runTool(
  tools: Tools,
  argv: readonly string[],
  options: {
    readonly cwd: string;
    readonly timeoutMs?: number;
    readonly env?: Readonly<Record<string, string>>;
    /** Its exit code says something, and is no failure. */
    readonly anyExit?: boolean;
  },
): Promise<string> {
  const { account, log, signal } = tools;
  const result = await exec(argv, {
    cwd: options.cwd,
    cleanEnv: true,
    env: {
      ...toolEnvironment(account),
      ...(tools.id !== null && { [mark]: tools.id }),
      ...options.env,
    },
    timeoutMs: options.timeoutMs ?? 10 * minute,
    ...(account !== null && { account }),
    ...(signal !== undefined && { signal }),
  });
  if (log !== null)
    await appendFile(
      log,
      withoutPasswords(
        `$ ${argv.join(" ")}\n${result.stdout}${result.stderr}${describeEnd(result)}\n`,
      ),
      { mode: 0o640 },
    );
  if (
    result.exitCode !== 0 &&
    !(options.anyExit === true && result.exitCode !== undefined)
  ) {
    const said = result.stderr.trim() === "" ? result.stdout : result.stderr;
    throw new UbuntuCiError(
      `${argv[0] === process.execPath ? "ubuntu-ci" : argv.slice(0, 2).join(" ")} ${describeEnd(result)}: ${withoutPasswords(lastLines(said, 5))}`,
      { exitCode: ExitCode.notNow },
    );
  }
  return result.stdout;
}

/** A remote's address may hold a password. */
function withoutPasswords(text: string): string {
  return text.replaceAll(/(:\/\/)[^/\s@]+@/g, "$1***@");
}

/** The environment, without what would point git at another repository or make cron's runs silent. */
function toolEnvironment(account: Account | null): Record<string, string> {
  const kept = Object.entries(process.env).filter(
    ([name, value]) =>
      value !== undefined &&
      !/^(?:GIT_(?:DIR|WORK_TREE|INDEX_FILE|OBJECT_DIRECTORY|COMMON_DIR|NAMESPACE|PREFIX)|NODE_OPTIONS|NODE_ENV|UBUNTU_CI_CRON|npm_(?:lifecycle|package)_.*)$/.test(
        name,
      ),
  ) as [string, string][];
  return {
    ...Object.fromEntries(kept),
    GIT_TERMINAL_PROMPT: "0",
    ...(account !== null && {
      HOME: account.home,
      USER: account.name,
      LOGNAME: account.name,
    }),
  };
}

async function git(
  tools: Tools,
  folder: string,
  ...args: string[]
): Promise<string> {
  return (
    await runTool(tools, ["git", "-C", folder, ...args], { cwd: folder })
  ).trim();
}

async function gitOrNull(
  tools: Tools,
  folder: string,
  ...args: string[]
): Promise<string | null> {
  try {
    return await git({ ...tools, log: null }, folder, ...args);
  } catch (thrown) {
    if (
      thrown instanceof UbuntuCiError &&
      thrown.exitCode === ExitCode.notNow &&
      tools.signal?.aborted !== true
    )
      return null;
    throw thrown;
  }
}

/** Version and commit of a folder with the program in it. */
export async function versionOf(
  tools: Tools,
  folder: string,
): Promise<ProgramVersion> {
  const { version } = JSON.parse(
    readFileSync(join(folder, "package.json"), "utf8"),
  ) as { version: string };
  return {
    version,
    commit: existsSync(join(folder, ".git"))
      ? await gitOrNull(tools, folder, "rev-parse", "--verify", "HEAD")
      : null,
  };
}

/**
 * Refuses a checkout whose changes an upgrade would lose.
 *
 * @throws UbuntuCiError (2) naming the files
 */
export async function refuseUncommitted(
  tools: Tools,
  folder: string,
): Promise<void> {
  if (!existsSync(join(folder, ".git"))) return;
  if (!lstatSync(join(folder, ".git")).isDirectory())
    throw refused(
      `${folder} is a linked worktree of another checkout`,
      "upgrade a clone of its own, or update it by hand",
    );
  const changed = (
    await git(
      tools,
      folder,
      "status",
      "--porcelain",
      "--untracked-files=normal",
    )
  )
    .split("\n")
    .filter((line) => line !== "");
  if (changed.length === 0) return;
  const names = changed.slice(0, 5).map((line) => line.slice(2).trim());
  throw refused(
    `${folder} has uncommitted changes: ${names.join(", ")}${changed.length > 5 ? ` and ${changed.length - 5} more` : ""}`,
    "commit, move or remove them first",
  );
}

/**
 * What to upgrade to: a tarball, or a tag, a branch or a commit of the checkout; by default what the
 * current branch follows, or without a branch the newest version's tag.
 *
 * @param fetch ask the remote first; a dry run does not
 * @throws UbuntuCiError (2) when there is no such thing, (75) when the remote does not answer
 */
export async function findTarget(
  tools: Tools,
  folder: string,
  to: string | undefined,
  fetch: boolean,
): Promise<Target> {
  if (to !== undefined && looksLikeTarball(to)) {
    const file = resolve(to);
    await access(file, constants.R_OK).catch(() => {
      throw refused(`${file} cannot be read`);
    });
    return { kind: "tarball", file, name: to };
  }
  if (!existsSync(join(folder, ".git")))
    throw refused(
      `${folder} is no git checkout`,
      "name a tarball with --to: `git archive --prefix=ubuntu-ci/ --output=FILE.tar.gz TAG` makes one",
    );
  if (to?.startsWith("-") === true) throw refused(`there is no ${to}`);
  const current = await gitOrNull(
    tools,
    folder,
    "symbolic-ref",
    "--short",
    "HEAD",
  );
  const remotes = (await git(tools, folder, "remote")).split("\n");
  const own =
    current === null
      ? null
      : await gitOrNull(tools, folder, "config", `branch.${current}.remote`);
  const remote =
    [own, "origin", remotes[0]].find(
      (name) => name != null && remotes.includes(name),
    ) ?? null;
  if (fetch && remote !== null && remote !== "")
    await git(tools, folder, "fetch", "--quiet", "--tags", remote);
  const commitOf = (name: string) =>
    gitOrNull(
      tools,
      folder,
      "rev-parse",
      "--verify",
      "--quiet",
      "--end-of-options",
      `${name}^{commit}`,
    );
  const branchTarget = async (branch: string, upstream: string) => {
    const commit = await commitOf(upstream);
    if (commit === null) return undefined;
    const ahead =
      (await commitOf(`refs/heads/${branch}`)) === null
        ? "0"
        : await git(
            tools,
            folder,
            "rev-list",
            "--count",
            `${commit}..refs/heads/${branch}`,
          );
    if (ahead !== "0")
      throw refused(
        `branch ${branch} of ${folder} has ${ahead} commits that ${upstream.replace("refs/remotes/", "")} has not`,
        "push them or move them to another branch first; or name the commit with --to",
      );
    return { kind: "commit", commit, name: branch, branch, remote } as const;
  };
  if (to !== undefined) {
    const tag = await commitOf(`refs/tags/${to}`);
    if (tag !== null)
      return { kind: "commit", commit: tag, name: to, branch: null, remote };
    if (remote !== null && remote !== "") {
      const found = await branchTarget(to, `refs/remotes/${remote}/${to}`);
      if (found !== undefined) return found;
    }
    const local = await commitOf(`refs/heads/${to}`);
    if (local !== null)
      return {
        kind: "commit",
        commit: local,
        name: to,
        branch: to,
        remote: null,
      };
    const commit = await commitOf(to);
    if (commit === null)
      throw refused(
        `there is no tag, branch or commit ${to} in ${folder}, and no such tarball`,
      );
    return { kind: "commit", commit, name: to, branch: null, remote };
  }
  if (current !== null) {
    const upstream = await gitOrNull(
      tools,
      folder,
      "rev-parse",
      "--symbolic-full-name",
      "@{upstream}",
    );
    if (upstream !== null) {
      const found = await branchTarget(current, upstream);
      if (found !== undefined) return found;
    }
  }
  const tags = (
    await git(
      tools,
      folder,
      "for-each-ref",
      "--sort=-version:refname",
      "--format=%(refname:short)",
      "refs/tags",
    )
  ).split("\n");
  const newest = tags.find((name) => /^v?[0-9]/.test(name));
  const commit =
    newest === undefined ? null : await commitOf(`refs/tags/${newest}`);
  if (newest === undefined || commit === null)
    throw refused(
      `${folder} follows no branch and has no version's tag`,
      "name what to upgrade to with --to",
    );
  return { kind: "commit", commit, name: newest, branch: null, remote };
}

function looksLikeTarball(to: string): boolean {
  return (
    /\.(?:tar|tgz|tar\.(?:gz|xz|zst|bz2))$/.test(to) ||
    lstatSync(resolve(to), { throwIfNoEntry: false })?.isFile() === true
  );
}

/** Puts the code of the target into a new folder, as a checkout of its own or as the tarball has it. */
export async function stageCode(
  tools: Tools,
  program: string,
  target: Target,
  folder: string,
): Promise<void> {
  if (target.kind === "tarball") await unpack(tools, target.file, folder);
  else await checkOut(tools, program, target, folder);
  const name = await packageName(folder);
  if (name !== "ubuntu-ci")
    throw refused(`${target.name} is not ubuntu-ci: no package.json of it`);
  for (const file of ["package-lock.json", "bin/ubuntu-ci"])
    if (!existsSync(join(folder, file)))
      throw refused(
        `${target.name} has no ${file}: a tree of the sources is needed`,
      );
}

async function packageName(folder: string): Promise<string | undefined> {
  const names = await readdir(folder);
  if (!names.includes("package.json")) return undefined;
  try {
    const { name } = JSON.parse(
      readFileSync(join(folder, "package.json"), "utf8"),
    ) as { name?: string };
    return name;
  } catch (thrown) {
    throw refused(`package.json cannot be read: ${String(thrown)}`);
  }
}

/** A clone with the same branches, remotes and settings as the checkout it takes the place of. */
async function checkOut(
  tools: Tools,
  program: string,
  target: Target & { kind: "commit" },
  folder: string,
): Promise<void> {
  const own = join(folder, ".git");
  await runTool(
    tools,
    ["git", "clone", "--quiet", "--mirror", "--local", program, own],
    { cwd: folder },
  );
  for (const file of ["config", "info/exclude"]) {
    const from = join(program, ".git", file);
    if (existsSync(from))
      await runTool(tools, ["cp", "--", from, join(own, file)], {
        cwd: folder,
      });
  }
  const { commit, branch, remote } = target;
  await git(
    tools,
    folder,
    ...(branch === null
      ? ["checkout", "--quiet", "--force", "--detach", commit]
      : ["checkout", "--quiet", "--force", "-B", branch, commit]),
  );
  if (branch !== null && remote !== null)
    await git(
      tools,
      folder,
      "branch",
      "--quiet",
      `--set-upstream-to=${remote}/${branch}`,
    );
}

/** Unpacks the sources from a tarball: plain files, folders and links that stay inside. */
async function unpack(
  tools: Tools,
  file: string,
  folder: string,
): Promise<void> {
  const listing = await runTool(
    tools,
    ["tar", "--list", "--verbose", "--numeric-owner", "--file", file],
    { cwd: folder },
  );
  for (const line of listing.split("\n").filter((entry) => entry !== "")) {
    if (!/^[-dl]/.test(line))
      throw refused(
        `${file} holds something else than files and links: ${line}`,
      );
    const name = line.split(/\s+/).slice(5).join(" ").split(" -> ")[0] ?? "";
    if (name.startsWith("/") || name.split("/").includes(".."))
      throw refused(`${file} holds a name that leaves its folder: ${name}`);
  }
  await runTool(
    tools,
    [
      ...["tar", "--extract", "--no-same-owner", "--no-same-permissions"],
      ...["--file", file, "--directory", folder],
    ],
    { cwd: folder },
  );
  // Most tarballs have one folder that everything is in.
  const names = await readdir(folder);
  if (!names.includes("package.json") && names.length === 1) {
    const inner = join(folder, names[0] ?? "");
    if (lstatSync(inner).isDirectory()) {
      for (const name of await readdir(inner))
        await rename(join(inner, name), join(folder, name));
      await rm(inner, { recursive: true });
    }
  }
  await refuseOutwardLinks(folder, folder);
  for (const name of ["node_modules", "dist"])
    await rm(join(folder, name), { recursive: true, force: true });
}

async function refuseOutwardLinks(top: string, folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await refuseOutwardLinks(top, path);
    if (!entry.isSymbolicLink()) continue;
    const target = relative(top, resolve(dirname(path), readlinkSync(path)));
    if (target === ".." || target.startsWith(`..${sep}`))
      throw refused(
        `the tarball's link ${relative(top, path)} leaves its folder`,
      );
  }
}

/**
 * Installs the packages of the new code: those of the old one when the lock file is the same
 * (compiling better-sqlite3 takes minutes), else as `npm ci` does.
 *
 * @returns whether they were taken from the old one
 */
export async function installPackages(
  tools: Tools,
  program: string,
  folder: string,
): Promise<boolean> {
  const lock = (of: string) =>
    existsSync(join(of, "package-lock.json"))
      ? readFileSync(join(of, "package-lock.json"), "utf8")
      : null;
  const from = join(program, "node_modules");
  const to = join(folder, "node_modules");
  if (existsSync(from) && lock(program) === lock(folder)) {
    try {
      await runTool(tools, ["cp", "--archive", "--link", "--", from, to], {
        cwd: folder,
      });
    } catch {
      // Another file system, or files of another owner (protected_hardlinks, proc(5)).
      await rm(to, { recursive: true, force: true });
      await runTool(tools, ["cp", "--archive", "--", from, to], {
        cwd: folder,
      });
    }
    return true;
  }
  // Node's own headers, where its package brings them, spare node-gyp a download.
  const node = dirname(dirname(process.execPath));
  await runTool(
    tools,
    [
      ...["npm", "ci", "--include=dev", "--no-audit", "--no-fund"],
      "--loglevel=error",
    ],
    {
      cwd: folder,
      timeoutMs: 30 * minute,
      ...(existsSync(join(node, "include/node/node.h")) && {
        env: { npm_config_nodedir: node },
      }),
    },
  );
  return false;
}

/** Builds the new code and has it say its version. */
export async function buildCode(tools: Tools, folder: string): Promise<void> {
  await runTool(tools, ["npm", "run", "--silent", "build"], { cwd: folder });
  await runTool(
    tools,
    [process.execPath, join(folder, "bin/ubuntu-ci"), "--version"],
    { cwd: folder, timeoutMs: minute },
  );
}

/**
 * Refuses a place that the program cannot be changed in, before anything starts.
 *
 * @throws UbuntuCiError (78) saying who may
 */
export async function refuseUnwritable(
  folders: readonly string[],
  owner: string,
): Promise<void> {
  for (const folder of folders) {
    try {
      await access(folder, constants.W_OK | constants.X_OK);
    } catch {
      throw new UbuntuCiError(
        `${folder} cannot be written: an upgrade makes folders there and renames them`,
        {
          exitCode: ExitCode.misconfigured,
          hint: `run it as root (or as ${owner} in a folder of theirs): the program's files stay ${owner}'s, the state its owner's`,
        },
      );
    }
  }
}

/** Ends what a killed upgrade left running: it would go on changing what is put right now. */
export async function endLeftOver(id: string): Promise<void> {
  for (const pid of await readdir("/proc")) {
    if (!/^[0-9]+$/.test(pid)) continue;
    const marked = `${mark}=${id}\0`;
    const environment = await readFile(`/proc/${pid}/environ`, "utf8").catch(
      () => "", // gone, or of another user
    );
    if (!`\0${environment}`.includes(`\0${marked}`)) continue;
    try {
      process.kill(Number(pid), "SIGKILL");
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== "ESRCH")
        throw notNow(
          `process ${pid} of an interrupted upgrade cannot be ended`,
          "end it, and run the upgrade again",
          thrown,
        );
    }
    // Once it is dead its environment is gone, even while nobody has waited for it.
    while (
      (await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "")).includes(
        marked,
      )
    )
      await setTimeout(20);
  }
}
