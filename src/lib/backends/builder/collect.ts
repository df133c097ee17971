import { lstat, readFile } from "node:fs/promises";
import { join } from "node:path";

import { readChanges } from "../../domain/debian/changes.ts";
import type { Problem } from "../../domain/error.ts";
import { digestFile } from "../../host/atomic-file.ts";
import { ifThere } from "../../host/if-there.ts";
import { packageFault } from "../verdict.ts";
import type { ProducedFile } from "../work.ts";
import type { BuildRequest } from "./builder.ts";

/**
 * The files of a build that are in `folder`, checked against the .changes that the build wrote: the
 * exit code alone is no success.
 *
 * @throws Verdict (failed) when the result is not what was asked for
 */
export async function collectBuild(
  folder: string,
  names: readonly string[],
  request: Pick<BuildRequest, "source" | "version">,
): Promise<readonly ProducedFile[]> {
  const lists = names.filter((name) => name.endsWith(".changes"));
  const [list] = lists;
  if (list === undefined || lists.length > 1)
    throw packageFault(
      `the build left ${lists.length} .changes files, not one`,
    );
  // It comes out of a build, so nothing in it is trusted.
  const problems: Problem[] = [];
  const text = await readFile(join(folder, list), "utf8");
  const changes = readChanges(text, list, problems);
  const [problem] = problems;
  if (changes === undefined || problem !== undefined)
    throw packageFault(
      `${list}: ${problem?.field ?? ""} ${problem?.message ?? "cannot be read"}`,
    );
  if (
    changes.source !== request.source ||
    changes.version !== request.version
  ) {
    throw packageFault(
      `the build made ${changes.source} ${changes.version}, not ${request.source} ${request.version}`,
    );
  }
  if (!changes.files.some(({ name }) => /\.(?:u|d)?deb$/.test(name)))
    throw packageFault("the build made no binary package");
  const files: ProducedFile[] = [];
  for (const { name, size, sha256 } of changes.files) {
    const path = join(folder, name);
    const status = await ifThere(lstat(path));
    if (status?.isFile() !== true)
      throw packageFault(
        `${list} names ${name}, which the build did not leave`,
      );
    if (status.size !== size || (await digestFile(path)).sha256 !== sha256)
      throw packageFault(`${name} is not what ${list} says it is`);
    files.push({ name, path });
  }
  return [...files, { name: list, path: join(folder, list) }];
}
