import { existsSync } from "node:fs";
import { lstat, mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * A GnuPG home for one run, with links to the keys. The agent's socket lies in it, whose path has
 * room for 107 bytes (unix(7)), which a state folder's may exceed. An agent ends when its socket is
 * gone.
 */
export async function withGnupgHome<T>(
  links: Readonly<Record<string, string>>,
  work: (home: string) => Promise<T>,
): Promise<T> {
  const short = tmpdir().length <= 60 ? tmpdir() : "/tmp";
  await sweepHomes(short);
  const home = await mkdtemp(join(short, `ubuntu-ci-gnupg-${process.pid}-`));
  try {
    for (const [name, target] of Object.entries(links))
      await symlink(target, join(home, name));
    return await work(home);
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

/** Removes the homes of runs that were killed; there is nothing in them but links and sockets. */
async function sweepHomes(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const pid = /^ubuntu-ci-gnupg-([0-9]+)-/.exec(name)?.[1];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    const home = join(folder, name);
    try {
      if ((await lstat(home)).uid === process.getuid?.())
        await rm(home, { recursive: true, force: true });
    } catch (thrown) {
      // Another process was faster.
      if ((thrown as NodeJS.ErrnoException).code !== "ENOENT") throw thrown;
    }
  }
}
