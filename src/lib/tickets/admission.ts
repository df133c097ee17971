import { createHash } from "node:crypto";
import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { mkdir, open, readdir, readFile, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import type { Changes } from "../domain/debian/changes.ts";
import { readChanges } from "../domain/debian/changes.ts";
import type { ListedFile } from "../domain/debian/control-file.ts";
import type { Dsc } from "../domain/debian/dsc.ts";
import { readDsc } from "../domain/debian/dsc.ts";
import { compareVersions, versionProblem } from "../domain/debian/version.ts";
import type { Problem } from "../domain/error.ts";
import { refusedWith } from "../domain/error.ts";
import { exec } from "../host/exec.ts";

/** What admission goes by. */
export interface AdmissionPolicy {
  readonly knownSeries: readonly string[];
  /** Series asked for on the command line, instead of the .changes' Distribution. */
  readonly series: string | null;
  readonly signatures: "required" | "optional";
  readonly maxFileBytes: number;
  readonly maxFiles: number;
  readonly maxTotalBytes: number;
  /** Folder with the uploaders' keys. */
  readonly uploaders: string;
  readonly archiveVersion: (series: string, source: string) => string | null;
  /** Ticket in flight with that very source and version, or null. */
  readonly inFlight: (source: string, version: string) => number | null;
}

export interface AdmittedFile {
  readonly name: string;
  /** Where it lies in the staging folder. */
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
}

export interface AdmittedUpload {
  readonly source: string;
  readonly version: string;
  readonly series: string;
  readonly changedBy: string;
  readonly changedByEmail: string;
  /** Fingerprint of the key that signed it; null when it is not signed and need not be. */
  readonly signer: string | null;
  readonly changesName: string;
  readonly dscName: string;
  readonly binaries: readonly string[];
  readonly files: readonly AdmittedFile[];
}

/** Control files are read whole; none that people make comes near this. */
const controlFileLimit = 4 * 1024 * 1024;

/**
 * Checks uploads before anything of them is stored. Every file is first copied into the staging
 * folder and everything is checked there, so that what was checked is what will be stored.
 *
 * @throws UbuntuCiError (2) with every problem of every upload; the staging folder is gone then
 */
export async function admit(
  changesFiles: readonly string[],
  policy: AdmissionPolicy,
  staging: string,
): Promise<readonly AdmittedUpload[]> {
  const problems: Problem[] = [];
  await mkdir(staging, { recursive: true });
  const budget = { bytes: policy.maxTotalBytes, files: policy.maxFiles };
  const uploads: AdmittedUpload[] = [];
  try {
    for (const [index, path] of changesFiles.entries()) {
      const folder = join(staging, String(index));
      await mkdir(folder);
      const upload = await admitOne(path, folder, policy, budget, problems);
      if (upload !== undefined) uploads.push(upload);
    }
    checkTogether(uploads, problems);
    if (problems.length > 0)
      throw refusedWith("the upload was refused", problems);
    return uploads;
  } catch (thrown) {
    await rm(staging, { recursive: true, force: true });
    throw thrown;
  }
}

interface Budget {
  bytes: number;
  files: number;
}

async function admitOne(
  path: string,
  folder: string,
  policy: AdmissionPolicy,
  budget: Budget,
  problems: Problem[],
): Promise<AdmittedUpload | undefined> {
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
    { ...policy, maxFileBytes: controlFileLimit },
    budget,
    problems,
    path,
  );
  if (changesFile === undefined) return undefined;
  const changes = readChanges(
    await readFile(changesFile.path, "utf8"),
    path,
    problems,
  );
  if (changes === undefined) return undefined;
  const signer = await checkSignature(
    changesFile.path,
    path,
    changes.signed,
    policy,
    problems,
  );
  const staged = await stageListed(
    changes.files,
    dirname(path),
    folder,
    path,
    policy,
    budget,
    problems,
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
  const series = checkSeries(changes, path, policy, problems);
  let dsc: Dsc | undefined;
  const stagedDsc = staged.find((file) => file.name === dscFile?.name);
  if (dscFile !== undefined && stagedDsc !== undefined && dscs.length === 1) {
    if (stagedDsc.size > controlFileLimit) {
      problems.push({
        where: dscFile.name,
        message: `is larger than ${controlFileLimit} bytes`,
      });
    } else {
      dsc = readDsc(
        await readFile(stagedDsc.path, "utf8"),
        dscFile.name,
        problems,
      );
      if (dsc?.signed === true)
        await checkSignature(
          stagedDsc.path,
          dscFile.name,
          true,
          policy,
          problems,
        );
      if (dsc !== undefined)
        await checkDsc(
          dsc,
          dscFile.name,
          changes,
          { path, folder, staged },
          policy,
          budget,
          problems,
        );
    }
  }
  checkVersion(changes, series, path, policy, problems);
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
    changedByEmail: /<([^<>]+)>\s*$/.exec(changes.changedBy)?.[1] ?? "",
    signer,
    changesName: name,
    dscName: dscFile.name,
    binaries: dsc.binaries,
    files: [changesFile, ...staged],
  };
}

/** Copies one file into staging; nothing but a regular file, and no link to one. */
async function stage(
  from: string,
  to: string,
  policy: Pick<AdmissionPolicy, "maxFileBytes" | "maxFiles" | "maxTotalBytes">,
  budget: Budget,
  problems: Problem[],
  where: string,
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
  try {
    source = await open(
      from,
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
    );
  } catch (thrown) {
    switch ((thrown as NodeJS.ErrnoException).code ?? "") {
      case "ENOENT": {
        complain("is missing");
        return;
      }
      case "ELOOP": {
        complain("is a link");
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
    const stat = await source.stat();
    if (stat.isDirectory()) {
      complain("is a folder");
      return;
    }
    if (!stat.isFile()) {
      complain("is not a regular file");
      return;
    }
    if (stat.size > policy.maxFileBytes) {
      complain(`is larger than ${policy.maxFileBytes} bytes`);
      return;
    }
    const target = await open(to, "wx");
    try {
      const hash = createHash("sha256");
      let size = 0;
      for await (const chunk of source.createReadStream({ autoClose: false })) {
        const bytes = chunk as Buffer;
        size += bytes.length;
        if (size > policy.maxFileBytes) {
          complain(`is larger than ${policy.maxFileBytes} bytes`);
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

async function stageListed(
  files: readonly ListedFile[],
  from: string,
  folder: string,
  where: string,
  policy: AdmissionPolicy,
  budget: Budget,
  problems: Problem[],
): Promise<AdmittedFile[]> {
  const staged: AdmittedFile[] = [];
  for (const file of files) {
    const copy = await stage(
      join(from, file.name),
      join(folder, file.name),
      policy,
      budget,
      problems,
      where,
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

function checkSourceOnly(
  { architectures, files }: Changes,
  where: string,
  problems: Problem[],
): void {
  const binary = files
    .filter(({ name }) => /\.(?:deb|udeb|ddeb)$/.test(name))
    .map(({ name }) => name);
  if (!architectures.includes("source")) {
    problems.push({
      where,
      field: "Architecture",
      message:
        "has no source: binary uploads are not accepted (dpkg-buildpackage -S makes a source upload)",
    });
  } else if (architectures.length > 1 || binary.length > 0) {
    const what =
      binary.length > 0 ? binary.join(", ") : architectures.join(" ");
    problems.push({
      where,
      field: binary.length > 0 ? "Files" : "Architecture",
      message: `${what}: only source is accepted (dpkg-buildpackage -S)`,
    });
  }
}

/** A pocket may be named behind the series (`bookworm-proposed`); the series is what counts here. */
function checkSeries(
  { distribution }: Changes,
  where: string,
  policy: AdmissionPolicy,
  problems: Problem[],
): string | undefined {
  const series =
    policy.series ??
    distribution.replace(/-(?:proposed|updates|security|backports)$/, "");
  if (distribution === "" && policy.series === null) return undefined;
  if (policy.knownSeries.includes(series)) return series;
  const known =
    policy.knownSeries.length === 0
      ? "there is none yet: ubuntu-ci init"
      : `known: ${policy.knownSeries.join(", ")}; --series names another`;
  const message =
    series === "UNRELEASED"
      ? "is UNRELEASED: release the changelog first (dch --release)"
      : `${JSON.stringify(series)} is not a series here; ${known}`;
  problems.push(
    policy.series === null
      ? { where, field: "Distribution", message }
      : { where: "--series", message },
  );
  return undefined;
}

async function checkDsc(
  dsc: Dsc,
  name: string,
  changes: Changes,
  place: {
    readonly path: string;
    readonly folder: string;
    readonly staged: AdmittedFile[];
  },
  policy: AdmissionPolicy,
  budget: Budget,
  problems: Problem[],
): Promise<void> {
  if (dsc.source !== changes.source) {
    problems.push({
      where: name,
      field: "Source",
      message: `is ${dsc.source}, but the .changes says ${changes.source}`,
    });
  }
  if (dsc.version !== changes.version) {
    problems.push({
      where: name,
      field: "Version",
      message: `is ${dsc.version}, but the .changes says ${changes.version}`,
    });
  }
  const beside: ListedFile[] = [];
  for (const file of dsc.files) {
    const listed = changes.files.find(
      (candidate) => candidate.name === file.name,
    );
    // The tarball of an upstream version that was uploaded before need not be in the .changes.
    if (listed === undefined) beside.push(file);
    else if (listed.sha256 !== file.sha256 || listed.size !== file.size) {
      problems.push({
        where: name,
        field: "Checksums-Sha256",
        message: `${file.name} is another file than the .changes says`,
      });
    }
  }
  place.staged.push(
    ...(await stageListed(
      beside,
      dirname(place.path),
      place.folder,
      name,
      policy,
      budget,
      problems,
    )),
  );
}

function checkVersion(
  { source, version }: Changes,
  series: string | undefined,
  where: string,
  policy: AdmissionPolicy,
  problems: Problem[],
): void {
  if (source === "" || versionProblem(version) !== undefined) return;
  const other = policy.inFlight(source, version);
  if (other !== null)
    problems.push({
      where,
      field: "Version",
      message: `${source} ${version} is in flight already, as ticket ${other}`,
    });
  if (series === undefined) return;
  const held = policy.archiveVersion(series, source);
  if (held !== null && compareVersions(version, held) <= 0) {
    problems.push({
      where,
      field: "Version",
      message: `${version} is not higher than ${held}, which the archive of ${series} has`,
    });
  }
}

function checkTogether(
  uploads: readonly AdmittedUpload[],
  problems: Problem[],
): void {
  const [first] = uploads;
  for (const [index, upload] of uploads.entries()) {
    const twin = uploads
      .slice(0, index)
      .find(({ source }) => source === upload.source);
    if (twin !== undefined)
      problems.push({
        where: upload.changesName,
        field: "Source",
        message: `${upload.source} is in this ticket twice`,
      });
    if (first !== undefined && upload.series !== first.series) {
      problems.push({
        where: upload.changesName,
        field: "Distribution",
        message: `is ${upload.series}, but ${first.changesName} is for ${first.series}: one ticket is for one series`,
      });
    }
    const taken = uploads
      .slice(0, index)
      .flatMap(({ files }) => files.map(({ name }) => name));
    for (const { name } of upload.files) {
      if (taken.includes(name))
        problems.push({
          where: upload.changesName,
          field: "Files",
          message: `${name} is in another upload of this ticket too`,
        });
    }
  }
}

/** The signer's fingerprint, or null. What gpgv says is read from its status lines (doc/DETAILS of GnuPG). */
async function checkSignature(
  file: string,
  where: string,
  signed: boolean,
  { signatures, uploaders }: AdmissionPolicy,
  problems: Problem[],
): Promise<string | null> {
  const complain = (message: string) => {
    if (signatures === "required")
      problems.push({ where, field: "signature", message });
    return null;
  };
  if (!signed) return complain("is missing: sign the upload (debsign)");
  const keys = (await readdir(uploaders).catch(() => [])).filter((name) =>
    name.endsWith(".gpg"),
  );
  if (keys.length === 0)
    return complain(
      "cannot be checked: there are no uploaders yet (ubuntu-ci uploaders add KEYFILE)",
    );
  const keyrings = keys.flatMap((name) => ["--keyring", join(uploaders, name)]);
  const { stdout, exitCode } = await exec([
    "gpgv",
    "--status-fd",
    "1",
    ...keyrings,
    "--",
    file,
  ]);
  const status = new Map(
    stdout
      .split("\n")
      .filter((line) => line.startsWith("[GNUPG:] "))
      .map((line) => line.slice(9).split(" "))
      .map(([word = "", ...rest]) => [word, rest]),
  );
  const key = (word: string) => status.get(word)?.[0] ?? "";
  if (status.has("BADSIG"))
    return badSignature(
      problems,
      where,
      `does not match the contents (key ${key("BADSIG")})`,
    );
  if (status.has("REVKEYSIG"))
    return complain(`is of a revoked key (${key("REVKEYSIG")})`);
  if (status.has("EXPKEYSIG"))
    return complain(`is of an expired key (${key("EXPKEYSIG")})`);
  if (status.has("EXPSIG"))
    return complain(`has expired (key ${key("EXPSIG")})`);
  if (status.has("NO_PUBKEY"))
    return complain(`is of a key that no uploader has (${key("NO_PUBKEY")})`);
  if (exitCode !== 0 || !status.has("GOODSIG") || !status.has("VALIDSIG"))
    return complain("is not valid");
  return status.get("VALIDSIG")?.[9] ?? key("VALIDSIG");
}

/** A signature that is there and wrong is refused even where signatures are optional. */
function badSignature(
  problems: Problem[],
  where: string,
  message: string,
): null {
  problems.push({ where, field: "signature", message });
  return null;
}
