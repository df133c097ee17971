import { existsSync, lstatSync, readFileSync, readlinkSync } from "node:fs";
import { readdir, rename, rm } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";

import { messageOf, refused } from "../../domain/error.ts";
import { git, minute, runTool } from "./run-tool.ts";
import type { Commit, Target } from "./target.ts";
import type { Upgrading } from "./upgrading.ts";

/** Puts the code of the target into an empty folder, as a checkout or as unpacked from the tarball. */
export async function stageCode(
  work: Upgrading,
  target: Target,
  folder: string,
): Promise<void> {
  if (target.kind === "tarball") await unpack(work, target.file, folder);
  else await checkOut(work, target, folder);
  if (packageName(folder) !== "ubuntu-ci")
    throw refused(`${target.name} is not ubuntu-ci: no package.json of it`);
  for (const file of ["package-lock.json", "bin/ubuntu-ci"])
    if (!existsSync(join(folder, file)))
      throw refused(
        `${target.name} has no ${file}: a tree of the sources is needed`,
      );
}

function packageName(folder: string): string | undefined {
  const file = join(folder, "package.json");
  if (!existsSync(file)) return undefined;
  try {
    const { name } = JSON.parse(readFileSync(file, "utf8")) as {
      name?: string;
    };
    return name;
  } catch (thrown) {
    throw refused(`package.json cannot be read: ${messageOf(thrown)}`);
  }
}

/** Clones the program's checkout with its branches, remotes and settings. */
async function checkOut(
  work: Upgrading,
  { commit, branch, upstream }: Commit,
  folder: string,
): Promise<void> {
  const { program } = work.place;
  const own = join(folder, ".git");
  const clone = ["git", "clone", "--quiet", "--mirror", "--local"];
  await runTool(work, [...clone, program, own], { cwd: folder });
  for (const file of ["config", "info/exclude"]) {
    const from = join(program, ".git", file);
    if (existsSync(from))
      await runTool(work, ["cp", "--", from, join(own, file)], { cwd: folder });
  }
  const where = branch === null ? ["--detach"] : ["-B", branch];
  await git(work, folder, ["checkout", "--quiet", "--force", ...where, commit]);
  if (upstream !== null)
    await git(work, folder, ["branch", `--set-upstream-to=${upstream}`]);
}

/** Unpacks a tarball of the sources: plain files, folders, and links that stay inside. */
async function unpack(
  work: Upgrading,
  file: string,
  folder: string,
): Promise<void> {
  const tar = (...args: string[]) =>
    runTool(work, ["tar", ...args, "--file", file], { cwd: folder });
  const listing = await tar("--list", "--verbose", "--numeric-owner");
  for (const line of listing.split("\n").filter((entry) => entry !== "")) {
    if (!/^[-dl]/.test(line))
      throw refused(
        `${file} holds something else than files and links: ${line}`,
      );
    const name = line.split(/\s+/).slice(5).join(" ").split(" -> ")[0] ?? "";
    if (name.startsWith("/") || name.split("/").includes(".."))
      throw refused(`${file} holds a name that leaves its folder: ${name}`);
  }
  await tar("--extract", "--no-same-owner", "--no-same-permissions");
  // Most tarballs contain a single folder with everything in it.
  const names = await readdir(folder);
  const inner = join(folder, names[0] ?? "");
  if (
    !names.includes("package.json") &&
    names.length === 1 &&
    lstatSync(inner).isDirectory()
  ) {
    for (const name of await readdir(inner))
      await rename(join(inner, name), join(folder, name));
    await rm(inner, { recursive: true });
  }
  await refuseOutwardLinks(folder);
  for (const name of ["node_modules", "dist"])
    await rm(join(folder, name), { recursive: true, force: true });
}

async function refuseOutwardLinks(top: string, folder = top): Promise<void> {
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
 * Installs the npm packages of the new code. When the lock file is the same, they are copied from the old
 * program: compiling better-sqlite3 takes minutes.
 *
 * @returns whether they were copied
 */
export async function installPackages(
  work: Upgrading,
  folder: string,
): Promise<boolean> {
  const { program } = work.place;
  const lockOf = (root: string) => {
    const file = join(root, "package-lock.json");
    return existsSync(file) ? readFileSync(file, "utf8") : null;
  };
  const from = join(program, "node_modules");
  const to = join(folder, "node_modules");
  const copy = (...options: string[]) =>
    runTool(work, ["cp", "--archive", ...options, "--", from, to], {
      cwd: folder,
    });
  if (existsSync(from) && lockOf(program) === lockOf(folder)) {
    try {
      await copy("--link");
    } catch {
      // Another file system, or files of another owner (protected_hardlinks, proc(5)).
      await rm(to, { recursive: true, force: true });
      await copy();
    }
    return true;
  }
  const npm = ["npm", "ci", "--include=dev", "--no-audit", "--no-fund"];
  // With Node's headers, where they are installed, node-gyp need not download them.
  const node = dirname(dirname(process.execPath));
  await runTool(work, [...npm, "--loglevel=error"], {
    cwd: folder,
    timeoutMs: 30 * minute,
    ...(existsSync(join(node, "include/node/node.h")) && {
      env: { npm_config_nodedir: node },
    }),
  });
  return false;
}

/** Builds the new code, and checks that it starts. */
export async function buildCode(
  work: Upgrading,
  folder: string,
): Promise<void> {
  await runTool(work, ["npm", "run", "--silent", "build"], { cwd: folder });
  const version = [
    process.execPath,
    join(folder, "bin/ubuntu-ci"),
    "--version",
  ];
  await runTool(work, version, { cwd: folder, timeoutMs: minute });
}
