import { mkdir, readFile, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { addressOf, readChanges } from "../../debian/changes.ts";
import type { Dsc } from "../../debian/dsc.ts";
import { readDsc } from "../../debian/dsc.ts";
import type { Problem } from "../../domain/error.ts";
import { refusedWith } from "../../domain/error.ts";
import {
  checkDsc,
  checkSeries,
  checkSourceOnly,
  checkTakenOver,
  checkTogether,
  checkVersion,
} from "./checks.ts";
import type { Admission, AdmissionPolicy, AdmittedUpload } from "./policy.ts";
import { checkRights, verifiedText } from "./signature.ts";
import { stage, stageListed } from "./staging.ts";

/** Largest control file in bytes, far above any real one: they are read whole. */
const controlFileLimit = 4 * 1024 * 1024;

/**
 * Checks uploads before anything of them is stored. Every file is first copied into the staging
 * folder and everything is checked there, so that what was checked is what will be stored.
 *
 * @param further what else is to be checked once the uploads are known; it adds its problems to the list
 * @throws UbuntuCiError (2) with every problem of every upload; the staging folder is gone then
 */
export async function admit(
  changesFiles: readonly string[],
  policy: AdmissionPolicy,
  staging: string,
  further?: (
    uploads: readonly AdmittedUpload[],
    problems: Problem[],
  ) => Promise<void>,
): Promise<readonly AdmittedUpload[]> {
  const problems: Problem[] = [];
  const budget = { bytes: policy.maxTotalBytes, files: policy.maxFiles };
  const admission = { policy, budget, problems };
  await mkdir(staging, { recursive: true });
  const uploads: AdmittedUpload[] = [];
  try {
    for (const [index, path] of changesFiles.entries()) {
      const folder = join(staging, String(index));
      await mkdir(folder);
      const upload = await admitOne(path, folder, admission);
      if (upload !== undefined) uploads.push(upload);
    }
    checkTogether(uploads, problems);
    await further?.(uploads, problems);
    if (problems.length > 0)
      throw refusedWith("the ticket was not created", problems);
    return uploads;
  } catch (thrown) {
    await rm(staging, { recursive: true, force: true });
    throw thrown;
  }
}

async function admitOne(
  path: string,
  folder: string,
  admission: Admission,
): Promise<AdmittedUpload | undefined> {
  const { problems } = admission;
  const before = problems.length;
  const name = basename(path);
  if (!/^[A-Za-z0-9][A-Za-z0-9+.:~_-]*\.changes$/.test(name)) {
    problems.push({
      where: path,
      message: "is not called NAME_VERSION_source.changes",
    });
    return undefined;
  }
  const changesFile = await stage(
    path,
    join(folder, name),
    path,
    admission,
    controlFileLimit,
  );
  if (changesFile === undefined) return undefined;
  const verified = await verifiedText(changesFile, path, admission);
  if (verified === undefined) return undefined;
  const changes = readChanges(verified.text, path, problems);
  if (changes === undefined) return undefined;
  checkRights(changes.source, verified.signer, path, admission);
  const staged = await stageListed(
    changes.files,
    dirname(path),
    folder,
    path,
    admission,
  );
  const dscs = changes.files.filter((file) => file.name.endsWith(".dsc"));
  const [dscFile] = dscs;
  if (dscs.length !== 1) {
    problems.push({
      where: path,
      field: "Files",
      message:
        dscs.length === 0 ? "names no .dsc" : `names ${dscs.length} .dsc files`,
    });
  }
  checkSourceOnly(changes, path, problems);
  const series = checkSeries(changes, path, admission);
  let dsc: Dsc | undefined;
  const stagedDsc = staged.find((file) => file.name === dscFile?.name);
  if (dscFile !== undefined && stagedDsc !== undefined && dscs.length === 1) {
    if (stagedDsc.size > controlFileLimit) {
      problems.push({
        where: dscFile.name,
        message: `is larger than ${controlFileLimit} bytes`,
      });
    } else {
      // The .dsc's own signature, perhaps of a sponsored maintainer, is ignored: who signed the .changes
      // vouches for the .dsc by its checksum, as in dak and Launchpad.
      dsc = readDsc(await readFile(stagedDsc.path), dscFile.name, problems);
      if (dsc !== undefined)
        await checkDsc(
          dsc,
          dscFile.name,
          changes,
          { path, folder, staged },
          admission,
        );
    }
  }
  checkVersion(changes, series, path, admission);
  if (dsc !== undefined && series !== undefined)
    await checkTakenOver(dsc, dscFile?.name ?? path, series, admission);
  if (
    problems.length > before ||
    dsc === undefined ||
    dscFile === undefined ||
    series === undefined
  )
    return undefined;
  return {
    source: changes.source,
    version: changes.version,
    series,
    changedBy: changes.changedBy,
    changedByEmail: addressOf(changes.changedBy),
    signer: verified.signer?.key.fingerprint ?? null,
    changesName: name,
    dscName: dscFile.name,
    binaries: dsc.binaries,
    dsc,
    files: [changesFile, ...staged],
  };
}
