import { existsSync, lstatSync, readFileSync, readlinkSync } from "node:fs";
import { access, constants, readdir, rename, rm } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";

import { misconfigured, refused } from "../../domain/error.ts";
import type { Tools } from "./run-tool.ts";
import { git, minute, runTool } from "./run-tool.ts";
import type { Target } from "./target.ts";

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
  folder: string,
  owner: string,
): Promise<void> {
  await access(folder, constants.W_OK | constants.X_OK).catch(() => {
    throw misconfigured(
      `${folder} cannot be written: an upgrade makes folders and a link there`,
      `run it as root (or as ${owner} in a folder of theirs): the program's files stay ${owner}'s, the state its owner's`,
    );
  });
}
