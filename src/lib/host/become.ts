import { join } from "node:path";

import { misconfigured, notNow } from "../domain/error.ts";
import type { Account } from "./account.ts";
import { callersUmask } from "./umask.ts";
import { callersFolder, tellFromRoot } from "./callers-folder.ts";
import { environmentOfAccount, systemPath } from "./environment.ts";
import type { EndInPlace } from "./exec.ts";
import { findTool, missingTool, runInPlace, succeeds } from "./exec.ts";
import { handOver } from "./hand-over.ts";
import { programRoot } from "./paths.ts";

/**
 * Starts this program again as the owner of the state folder and waits for it to end. A new process is
 * safer than setuid in this one: its /proc/self and core dumps belong to the owner, it has none of
 * root's descriptors except standard input, output and error, and its environment is the owner's. Root
 * only determines the owner, and copies the given files that the owner may not be able to read.
 *
 * @param root the state folder
 * @param reads absolute paths of the files that the command was given
 * @param signal fires when this program is told to end before it can pass signals on
 * @throws UbuntuCiError (78) when the owner cannot run this program, (2) when a file is too large
 */
export async function continueAs(
  owner: Account,
  root: string,
  reads: readonly string[],
  signal: AbortSignal,
): Promise<EndInPlace> {
  const node = process.execPath;
  await requireRunnable(owner, node);
  const handed = await handOver(reads, owner, (file) =>
    can(owner, ["test", "-f", file, "-a", "-r", file]),
  );
  try {
    if (signal.aborted) throw notNow("interrupted");
    return await runInPlace(
      asAccount(owner, [node, ...process.argv.slice(1)]),
      {
        cwd: "/",
        env: {
          ...environmentOfAccount(owner),
          UBUNTU_CI_STATE_DIR: root,
          ...tellFromRoot({
            folder: callersFolder(),
            copies: handed,
            umask: callersUmask(),
          }),
        },
      },
    );
  } finally {
    // Removed as the owner: root should delete nothing in a folder that another user can change.
    if (handed !== null)
      await can(owner, ["rm", "--recursive", "--force", "--", handed]);
  }
}

/** A command line that runs as a user with all of its groups, and ends when this process dies. */
export function asAccount(
  { uid, gid }: Account,
  argv: readonly string[],
): string[] {
  // Not looked up in root's PATH, which may contain a folder that belongs to another user.
  const setpriv = findTool("setpriv", systemPath);
  if (setpriv === undefined) throw missingTool("setpriv");
  return [
    ...[setpriv, `--reuid=${uid}`, `--regid=${gid}`, "--init-groups"],
    ...["--inh-caps=-all", "--pdeathsig=TERM", "--", ...argv],
  ];
}

async function requireRunnable(owner: Account, node: string): Promise<void> {
  const main = join(programRoot, "dist/cli/start.cjs");
  if (await can(owner, ["test", "-x", node, "-a", "-r", main])) return;
  throw misconfigured(
    `${owner.name}, whose state this is, cannot run ${node} with the program in ${programRoot}`,
    "put both where everybody can read them, as in /opt; maintenance/quickstart does it for the program",
  );
}

function can(owner: Account, argv: readonly string[]): Promise<boolean> {
  return succeeds(asAccount(owner, argv), { PATH: systemPath });
}
