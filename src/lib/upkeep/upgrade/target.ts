import { existsSync, lstatSync, readFileSync } from "node:fs";
import { access, constants } from "node:fs/promises";
import { join, resolve } from "node:path";

import { refused } from "../../domain/error.ts";
import type { Tools } from "./run-tool.ts";
import { git, gitOrNull } from "./run-tool.ts";

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
