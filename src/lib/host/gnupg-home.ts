import { lstat, mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { ifExists } from "../files/optional-file.ts";
import { makeFolder } from "../files/make-folder.ts";
import { isGone, thisProcess } from "../files/process-identity.ts";

/** Bytes: a socket's path is at most 107 long (unix(7)); gpg-agent's longest socket name takes 20, a home's name 40. */
const longestParent = 107 - 1 - 20 - 1 - 40;

const prefix = "ubuntu-ci-gnupg-";

/**
 * Makes a GnuPG home for the duration of `work`, with links to the keys. It contains the socket of
 * gpg-agent, which exits once its socket is removed.
 *
 * @param links targets of the links, by name
 * @param privateFolder where the home is made; if its path is too long for a socket, the home is a
 *   private folder in the shared temporary folder instead
 */
export async function withGnupgHome<T>(
  links: Readonly<Record<string, string>>,
  work: (home: string) => Promise<T>,
  privateFolder?: string,
): Promise<T> {
  const parent = parentOfHomes(privateFolder);
  if (parent === privateFolder) makeFolder(parent);
  await sweepHomes(parent);
  const { pid, process_start } = thisProcess();
  const home = await mkdtemp(join(parent, `${prefix}${pid}-${process_start}-`));
  try {
    for (const [name, target] of Object.entries(links))
      await symlink(target, join(home, name));
    return await work(home);
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

function parentOfHomes(privateFolder: string | undefined): string {
  const fits = (folder: string) => Buffer.byteLength(folder) <= longestParent;
  if (privateFolder !== undefined && fits(privateFolder)) return privateFolder;
  return fits(tmpdir()) ? tmpdir() : "/tmp";
}

/**
 * Removes the homes of killed runs, which contain only links and sockets. Anybody can create such a
 * name in a shared folder, so only folders of this user are removed.
 */
async function sweepHomes(parent: string): Promise<void> {
  const { host, boot_id } = thisProcess();
  for (const name of await readdir(parent)) {
    const [, pid, process_start = ""] =
      /^ubuntu-ci-gnupg-([0-9]{1,10})-([0-9]+)-/.exec(name) ?? [];
    if (pid === undefined) continue;
    if (isGone({ host, boot_id, pid: Number(pid), process_start }) !== true)
      continue;
    const home = join(parent, name);
    // Another process may have removed it already.
    const found = await ifExists(lstat(home));
    if (found?.isDirectory() === true && found.uid === process.geteuid?.())
      await rm(home, { recursive: true, force: true });
  }
}
