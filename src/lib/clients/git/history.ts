import { misconfigured } from "../../domain/error.ts";
import { exec } from "../../host/exec.ts";

/** A commit of a branch's own line. */
export interface Commit {
  /** Its place on that line, counted from 1. */
  readonly revision: number;
  /** Its hash. */
  readonly commit: string;
  readonly author: string;
  /** ISO 8601 UTC, when it was committed. */
  readonly committed_at: string;
  readonly message: string;
}

/** Neither the system's configuration nor the caller's has a say, and nobody is asked for a password. */
const environment = {
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_TERMINAL_PROMPT: "0",
  LC_ALL: "C.UTF-8",
};

/** Output of git that is read at most: a million commits with short messages. */
const mostBytes = 512 * 1024 * 1024;

async function git(
  repository: string,
  args: readonly string[],
): Promise<string> {
  const { exitCode, stdout, stderr, tooLong } = await exec(
    ["git", "--no-pager", "-C", repository, ...args],
    { env: environment, maxBuffer: mostBytes },
  );
  if (exitCode === 0 && !tooLong) return stdout;
  const [line = "it gave no reason"] = stderr.split("\n");
  throw misconfigured(
    `git cannot read ${repository}: ${tooLong ? "its history is too long" : line}`,
    "the setting shepherd.repository names a local repository, shepherd.branch a branch in it",
  );
}

/**
 * The first-parent history of a branch, oldest first.
 *
 * @param repository a local repository, bare or not
 * @throws UbuntuCiError (78) when git cannot read it, or there is no such branch
 */
export async function firstParentHistory(
  repository: string,
  branch: string,
): Promise<Commit[]> {
  // rev-list is plumbing: a repository's own configuration makes it run nothing.
  const listed = await git(repository, [
    "rev-list",
    "--first-parent",
    "--reverse",
    "--no-commit-header",
    "--format=%H%x00%ae%x00%cI%x00%B%x00",
    "--end-of-options",
    `refs/heads/${branch}`,
    "--",
  ]);
  const fields = listed.split("\0");
  const commits: Commit[] = [];
  for (let at = 0; at + 4 < fields.length; at += 4) {
    const [commit = "", author = "", committed = "", message = ""] =
      fields.slice(at, at + 4);
    commits.push({
      revision: commits.length + 1,
      commit: commit.trim(),
      author,
      committed_at: new Date(committed).toISOString(),
      message,
    });
  }
  return commits;
}

/** The commit that a ref names, or null when there is no such ref. @throws UbuntuCiError (78) when git cannot read the repository */
export async function commitOf(
  repository: string,
  ref: string,
): Promise<string | null> {
  const found = await git(repository, [
    "for-each-ref",
    "--count=1",
    "--format=%(if)%(*objectname)%(then)%(*objectname)%(else)%(objectname)%(end)",
    `refs/tags/${ref}`,
    `refs/heads/${ref}`,
  ]);
  return found.trim() || null;
}
