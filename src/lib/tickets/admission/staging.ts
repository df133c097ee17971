import { createHash } from "node:crypto";
import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { lstat, open, readlink, realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import type { ListedFile } from "../../debian/control-file.ts";
import { ifExists } from "../../files/optional-file.ts";
import type { Admission, AdmittedFile } from "./policy.ts";

/**
 * Copies one file into staging; nothing but a regular file. A link is followed to a file in its own
 * folder, as uscan makes one for an upstream tarball, and nowhere else.
 */
export async function stage(
  from: string,
  to: string,
  where: string,
  { policy, budget, problems }: Admission,
  maxFileBytes = policy.maxFileBytes,
): Promise<AdmittedFile | undefined> {
  const name = basename(from);
  const complain = (message: string) => {
    problems.push(
      where === from
        ? { where, message }
        : { where, field: "Files", message: `${name} ${message}` },
    );
    return undefined;
  };
  if (budget.files <= 0) {
    complain(`is one file too many: a ticket may have ${policy.maxFiles}`);
    return;
  }
  budget.files -= 1;
  let source: FileHandle;
  let followed: string;
  try {
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
    followed = await followedWithin(from);
    source = await open(followed, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (thrown) {
    if (thrown instanceof StrayLink) {
      complain(
        "is a link out of its folder or to nothing: put the file itself there",
      );
      return;
    }
    switch ((thrown as NodeJS.ErrnoException).code ?? "") {
      case "ENOENT": {
        complain("is missing");
        return;
      }
      case "ELOOP": {
        complain("is a link that changes");
        return;
      }
      case "EACCES": {
        complain("may not be read");
        return;
      }
      default: {
        complain(`cannot be read: ${(thrown as Error).message}`);
        return;
      }
    }
  }
  try {
    const opened = await readlink(`/proc/self/fd/${source.fd}`);
    if (followed !== from && opened !== followed) {
      complain("is a link that changes");
      return;
    }
    const stat = await source.stat();
    if (stat.isDirectory()) {
      complain("is a folder");
      return;
    }
    if (!stat.isFile()) {
      complain("is not a regular file");
      return;
    }
    if (stat.size > maxFileBytes) {
      complain(`is larger than ${maxFileBytes} bytes`);
      return;
    }
    let target: FileHandle;
    try {
      target = await open(to, "wx");
    } catch (thrown) {
      // A control file may list itself, or the other one.
      if ((thrown as NodeJS.ErrnoException).code !== "EEXIST") throw thrown;
      complain("is there twice");
      return;
    }
    try {
      const hash = createHash("sha256");
      let size = 0;
      for await (const chunk of source.createReadStream({ autoClose: false })) {
        const bytes = chunk as Buffer;
        size += bytes.length;
        if (size > maxFileBytes) {
          complain(`is larger than ${maxFileBytes} bytes`);
          return;
        }
        if (size > budget.bytes) {
          complain(`takes the ticket over ${policy.maxTotalBytes} bytes`);
          return;
        }
        hash.update(bytes);
        await target.write(bytes);
      }
      budget.bytes -= size;
      await target.sync();
      return { name, path: to, size, sha256: hash.digest("hex") };
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

/** A link that is not followed. */
class StrayLink extends Error {}

/** The path itself, or the file within its folder that a link leads to. @throws StrayLink */
async function followedWithin(path: string): Promise<string> {
  const status = await ifExists(lstat(path));
  if (status?.isSymbolicLink() !== true) return path;
  const folder = await realpath(dirname(path));
  const target = await realpath(path).catch(() => undefined);
  if (target === undefined || !target.startsWith(join(folder, "/")))
    throw new StrayLink();
  return target;
}

/** Copies the files that a control file lists into staging; those that are what it says are returned. */
export async function stageListed(
  files: readonly (ListedFile & { readonly from?: string })[],
  from: string,
  folder: string,
  where: string,
  admission: Admission,
): Promise<AdmittedFile[]> {
  const { problems } = admission;
  const staged: AdmittedFile[] = [];
  for (const file of files) {
    const copy = await stage(
      file.from ?? join(from, file.name),
      join(folder, file.name),
      where,
      admission,
    );
    if (copy === undefined) continue;
    if (copy.size !== file.size) {
      problems.push({
        where,
        field: "Files",
        message: `${file.name} has ${copy.size} bytes, not ${file.size}`,
      });
    } else if (copy.sha256 !== file.sha256) {
      problems.push({
        where,
        field: "Checksums-Sha256",
        message: `${file.name} has another checksum: ${copy.sha256}`,
      });
    } else {
      staged.push(copy);
    }
  }
  return staged;
}
