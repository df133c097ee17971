import { existsSync, lstatSync, readFileSync } from "node:fs";
import { access, constants } from "node:fs/promises";
import { join, resolve } from "node:path";

import { refused } from "../../domain/error.ts";
import { git, gitOrNull } from "./run-tool.ts";
import type { Upgrading } from "./upgrading.ts";

/** A commit to upgrade to. */
export interface Commit {
  readonly kind: "commit";
  readonly commit: string;
  /** As the user called it. */
  readonly name: string;
  /** Branch that the new checkout will be on, or null. */
  readonly branch: string | null;
  /** Ref that the branch follows, or null. */
  readonly upstream: string | null;
}

interface Tarball {
  readonly kind: "tarball";
  readonly file: string;
  readonly name: string;
}

/** Where the new code comes from. */
export type Target = Commit | Tarball;

/** Version of a release. */
export interface ProgramVersion {
  /** Null when it is not a git checkout. */
  readonly commit: string | null;
  /** For people: 0.2.0 (1a2b3c4d5). */
  readonly name: string;
}

/** The version of the program in a folder. */
export async function versionOf(
  work: Upgrading,
  folder: string,
): Promise<ProgramVersion> {
  const text = readFileSync(join(folder, "package.json"), "utf8");
  const { version } = JSON.parse(text) as { version: string };
  const commit = existsSync(join(folder, ".git"))
    ? await gitOrNull(work, folder, ["rev-parse", "--verify", "HEAD"])
    : null;
  const name = commit === null ? version : `${version} (${commit.slice(0, 9)})`;
  return { commit, name };
}

/**
 * Refuses a checkout with changes that an upgrade would lose.
 *
 * @throws UbuntuCiError (2) naming the files
 */
export async function refuseUncommitted(work: Upgrading): Promise<void> {
  const folder = work.place.program;
  const own = lstatSync(join(folder, ".git"), { throwIfNoEntry: false });
  if (own === undefined) return;
  if (!own.isDirectory())
    throw refused(
      `${folder} is a linked worktree of another checkout`,
      "upgrade a clone of its own, or update it by hand",
    );
  const status = ["status", "--porcelain", "--untracked-files=normal"];
  const changed = linesOf(await git(work, folder, status));
  if (changed.length === 0) return;
  const names = changed.slice(0, 5).map((line) => line.slice(2).trim());
  throw refused(
    `${folder} has uncommitted changes: ${names.join(", ")}${changed.length > 5 ? ` and ${changed.length - 5} more` : ""}`,
    "commit, move or remove them first",
  );
}

const linesOf = (text: string) =>
  text.split("\n").filter((line) => line !== "");

/**
 * What to upgrade to: a tarball, or a tag, branch or commit of the checkout. By default it is the
 * upstream of the current branch, or without one the tag of the newest version.
 *
 * @param fetch fetch from the remote first; a dry run does not
 * @throws UbuntuCiError (2) when there is no such thing, (75) when the remote does not answer
 */
export async function findTarget(
  work: Upgrading,
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
  if (to?.startsWith("-") === true) throw refused(`there is no ${to}`);
  return findCommit(work, to, fetch);
}

function looksLikeTarball(to: string): boolean {
  return (
    /\.(?:tar|tgz|tar\.(?:gz|xz|zst|bz2))$/.test(to) ||
    lstatSync(resolve(to), { throwIfNoEntry: false })?.isFile() === true
  );
}

async function findCommit(
  work: Upgrading,
  to: string | undefined,
  fetch: boolean,
): Promise<Commit> {
  const folder = work.place.program;
  if (!existsSync(join(folder, ".git")))
    throw refused(
      `${folder} is not a git checkout`,
      "name a tarball with --to: `git archive --prefix=ubuntu-ci/ --output=FILE.tar.gz TAG` makes one",
    );
  const ask = (...args: string[]) => gitOrNull(work, folder, args);
  const current = await ask("symbolic-ref", "--short", "HEAD");
  const remotes = linesOf(await git(work, folder, ["remote"]));
  const own =
    current === null ? null : await ask("config", `branch.${current}.remote`);
  const remote = [own, "origin", ...remotes].find(
    (name) => name !== null && remotes.includes(name),
  );
  if (fetch && remote != null)
    await git(work, folder, ["fetch", "--quiet", "--tags", remote]);

  const commitAt = async (
    ref: string,
    name: string,
    branch: string | null = null,
    upstream: string | null = null,
  ): Promise<Commit | null> => {
    const parse = ["rev-parse", "--verify", "--quiet", "--end-of-options"];
    const commit = await ask(...parse, `${ref}^{commit}`);
    return commit === null
      ? null
      : { kind: "commit", commit, name, branch, upstream };
  };
  const branchAt = async (branch: string, upstream: string) => {
    const found = await commitAt(upstream, branch, branch, upstream);
    if (found === null) return null;
    const range = `${found.commit}..refs/heads/${branch}`;
    // Null when there is no local branch yet.
    const ahead = (await ask("rev-list", "--count", range)) ?? "0";
    if (ahead !== "0")
      throw refused(
        `branch ${branch} of ${folder} has ${ahead} commits that ${upstream.replace("refs/remotes/", "")} has not`,
        "push them or move them to another branch first; or name the commit with --to",
      );
    return found;
  };
  if (to !== undefined) {
    const found =
      (await commitAt(`refs/tags/${to}`, to)) ??
      (remote == null
        ? null
        : await branchAt(to, `refs/remotes/${remote}/${to}`)) ??
      (await commitAt(`refs/heads/${to}`, to, to)) ??
      (await commitAt(to, to));
    if (found !== null) return found;
    throw refused(
      `there is no tag, branch or commit ${to} in ${folder}, and no such tarball`,
    );
  }
  const parse = ["rev-parse", "--symbolic-full-name", "@{upstream}"];
  const upstream = await ask(...parse);
  if (current !== null && upstream !== null) {
    const found = await branchAt(current, upstream);
    if (found !== null) return found;
  }
  const tags = await git(work, folder, [
    ...["for-each-ref", "--sort=-version:refname"],
    ...["--format=%(refname:short)", "refs/tags"],
  ]);
  const newest = linesOf(tags).find((name) => /^v?[0-9]/.test(name));
  const found =
    newest === undefined ? null : await commitAt(`refs/tags/${newest}`, newest);
  if (found !== null) return found;
  throw refused(
    `${folder} follows no branch and has no version's tag`,
    "name what to upgrade to with --to",
  );
}
