import { lstat, readFile } from "node:fs/promises";
import { join } from "node:path";

import type { BuildingSource } from "../../debian/built-package.ts";
import { notBuiltBy } from "../../debian/built-package.ts";
import { packageName } from "../../debian/control-file.ts";
import { binaryFile } from "../../debian/package-file.ts";
import { readChanges } from "../../debian/changes.ts";
import { Deb822Error, parseDeb822 } from "../../debian/deb822.ts";
import { parseDsc } from "../../debian/dsc.ts";
import { withoutEpoch } from "../../debian/version.ts";
import type { Problem } from "../../domain/error.ts";
import { messageOf } from "../../domain/error.ts";
import { digestFile } from "../../files/atomic-file.ts";
import { machineArchitecture } from "../../host/architecture.ts";
import { adviceText } from "../../host/command-line.ts";
import { exec } from "../../host/exec.ts";
import { ifExists } from "../../files/optional-file.ts";
import { packageFault } from "../verdict.ts";
import type { ProducedFile } from "../run-context.ts";
import type { BuildRequest } from "./builder.ts";

/** Size limit of a .changes file, far above any real one. */
const listLimit = 4 * 1024 * 1024;

/** Time limit for reading a control file. */
const controlSeconds = 60;

/**
 * Collects the files of a build in `folder`, checked against the .changes it wrote: exit code 0 alone is
 * not success.
 *
 * @param signal stops the checks, whose cost the package controls
 * @throws Verdict (failed) when the files are not what the source was to build
 */
export async function collectBuild(
  folder: string,
  names: readonly string[],
  request: Pick<BuildRequest, "source" | "version" | "dsc">,
  signal: AbortSignal,
): Promise<readonly ProducedFile[]> {
  const list = changesOf(names, request);
  // A build wrote this file, so nothing in it is trusted.
  const problems: Problem[] = [];
  if ((await lstat(join(folder, list))).size > listLimit)
    throw packageFault(`${list} is larger than ${listLimit} bytes`);
  const text = await readFile(join(folder, list));
  const changes = readChanges(text, list, problems);
  const [problem] = problems;
  if (changes === undefined || problem !== undefined)
    throw packageFault(
      `${list}: ${problem?.field ?? ""} ${adviceText(problem?.message ?? "cannot be read")}`,
    );
  if (
    changes.source !== request.source ||
    changes.version !== request.version
  ) {
    throw packageFault(
      `the build made ${changes.source} ${changes.version}, not ${request.source} ${request.version}`,
    );
  }
  if (!changes.files.some(({ name }) => binaryFile.test(name)))
    throw packageFault("the build made no binary package");
  const { builds } = parseDsc(await readFile(request.dsc), request.dsc);
  const files: ProducedFile[] = [];
  for (const { name, size, sha256 } of changes.files) {
    signal.throwIfAborted();
    const path = join(folder, name);
    const status = await ifExists(lstat(path));
    if (status?.isFile() !== true)
      throw packageFault(
        `${list} names ${name}, which the build did not leave`,
      );
    if (status.size !== size || (await digestFile(path)).sha256 !== sha256)
      throw packageFault(`${name} is not what ${list} says it is`);
    if (binaryFile.test(name))
      await requireOwn(name, path, { ...request, builds }, signal);
    files.push({ name, path });
  }
  return [...files, { name: list, path: join(folder, list) }];
}

/**
 * The build's own .changes, by the name that dpkg-buildpackage gives it; a build may leave others beside
 * it, of packages that it makes to test itself.
 */
function changesOf(
  names: readonly string[],
  { source, version }: Pick<BuildRequest, "source" | "version">,
): string {
  const own = `${source}_${withoutEpoch(version)}_`;
  const lists = names.filter((name) => name.endsWith(".changes"));
  const expected = `${own}${machineArchitecture()}.changes`;
  const found = lists.includes(expected)
    ? expected
    : (lists.find((name) => name.startsWith(own)) ?? lists[0]);
  if (found === undefined) throw packageFault(`the build left no ${expected}`);
  return found;
}

/**
 * Rejects a .deb that dpkg cannot read, which would otherwise look like an archive failure, and one that
 * is not what its name and its source say. The control file is streamed, since on disk it could be a
 * link, a pipe, or endless.
 */
async function requireOwn(
  name: string,
  path: string,
  source: BuildingSource,
  signal: AbortSignal,
): Promise<void> {
  const read = await exec(
    [
      ...["timeout", String(controlSeconds), "bash", "-c"],
      'dpkg-deb --ctrl-tarfile "$1" | tar --extract --to-stdout --file=- ./control control | head --bytes=1000000',
      ...["control", path],
    ],
    { signal },
  );
  signal.throwIfAborted();
  if (read.exitCode === 124)
    throw packageFault(
      `${name} takes longer than ${controlSeconds} seconds to read its control file from`,
    );
  const control = controlIn(name, read.stdout);
  const named = control("Package");
  if (!packageName.test(named))
    throw packageFault(`${name} is of a package whose name is none: ${named}`);
  const why = notBuiltBy(source, name, {
    name: named,
    version: control("Version"),
    architecture: control("Architecture"),
    source: control("Source") || null,
  });
  if (why !== null) throw packageFault(why);
}

/** The fields of a control file, which is one stanza. */
function controlIn(name: string, text: string): (field: string) => string {
  try {
    const [stanza, ...more] = parseDeb822(text);
    if (more.length > 0)
      throw packageFault(`the control file of ${name} has two stanzas`);
    if (stanza?.get("Package") === undefined)
      throw packageFault(`${name} is no package: it has no control file`);
    return (field) => stanza.get(field) ?? "";
  } catch (thrown) {
    if (!(thrown instanceof Deb822Error)) throw thrown;
    throw packageFault(`the control file of ${name}: ${messageOf(thrown)}`);
  }
}
