import { lstat } from "node:fs/promises";
import { dirname, join } from "node:path";

import { isBuiltOn } from "../../debian/architecture.ts";
import { binaryFile } from "../../debian/package-file.ts";
import type { Changes } from "../../debian/changes.ts";
import type { ListedFile } from "../../debian/control-file.ts";
import type { Dsc } from "../../debian/dsc.ts";
import { binariesOn } from "../../debian/dsc.ts";
import { compareVersions, versionProblem } from "../../debian/version.ts";
import type { Problem } from "../../domain/error.ts";
import { ifExists } from "../../files/optional-file.ts";
import type {
  Admission,
  AdmissionPolicy,
  AdmittedFile,
  AdmittedUpload,
} from "./policy.ts";
import { stageListed } from "./staging.ts";
import { advice, remedy } from "../../domain/remedy.ts";

export function checkSourceOnly(
  { architectures, files }: Changes,
  where: string,
  problems: Problem[],
): void {
  const binary = files
    .filter(({ name }) => binaryFile.test(name))
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

/**
 * The series that a Distribution stands for: itself, or what the table of suites says. An entry with
 * SERIES counts for every series.
 */
function seriesOf(
  distribution: string,
  { knownSeries, suites }: AdmissionPolicy,
): string {
  if (knownSeries.includes(distribution)) return distribution;
  const own = suites[distribution];
  if (own !== undefined) return own;
  for (const [suite, target] of Object.entries(suites))
    for (const series of knownSeries)
      if (suite.replaceAll("SERIES", series) === distribution)
        return target.replaceAll("SERIES", series);
  return distribution;
}

/** The series, known here, that an upload is for. */
export function checkSeries(
  { distribution }: Changes,
  where: string,
  { policy, problems }: Admission,
): string | undefined {
  const series = policy.series ?? seriesOf(distribution, policy);
  if (distribution === "" && policy.series === null) return undefined;
  if (policy.knownSeries.includes(series)) return series;
  const known =
    policy.knownSeries.length === 0
      ? advice`there is none yet: ${remedy("init")}`
      : `known: ${policy.knownSeries.join(", ")}; --series names another`;
  const mapped =
    policy.series === null && series !== distribution
      ? `${JSON.stringify(distribution)} stands for ${JSON.stringify(series)} (admission.suites), which`
      : JSON.stringify(series);
  const message =
    series === "UNRELEASED"
      ? "is UNRELEASED: release the changelog first (dch --release)"
      : advice`${mapped} is not a series here; ${known}`;
  problems.push(
    policy.series === null
      ? { where, field: "Distribution", message }
      : { where: "--series", message },
  );
  return undefined;
}

export async function checkDsc(
  dsc: Dsc,
  name: string,
  changes: Changes,
  place: {
    readonly path: string;
    readonly folder: string;
    readonly staged: AdmittedFile[];
  },
  admission: Admission,
): Promise<void> {
  const { policy, problems } = admission;
  checkArchitecture(dsc, name, admission);
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
  const inChanges = new Map(changes.files.map((file) => [file.name, file]));
  for (const file of dsc.files) {
    const listed = inChanges.get(file.name);
    // The .changes may leave out an upstream tarball that was uploaded with an earlier version.
    if (listed === undefined) beside.push(file);
    else if (listed.sha256 !== file.sha256 || listed.size !== file.size) {
      problems.push({
        where: name,
        field: "Checksums-Sha256",
        message: `${file.name} is another file than the .changes says`,
      });
    }
  }
  await checkNames(dsc, name, place.staged, admission);
  place.staged.push(
    ...(await stageListed(
      await Promise.all(
        beside.map((file) =>
          wherever(dsc.source, file, dirname(place.path), policy),
        ),
      ),
      dirname(place.path),
      place.folder,
      name,
      admission,
    )),
  );
}

/** A file that lies beside the .dsc, else the same one of the archive. */
async function wherever(
  source: string,
  file: ListedFile,
  folder: string,
  { archiveFile }: AdmissionPolicy,
): Promise<ListedFile & { readonly from?: string }> {
  if ((await ifExists(lstat(join(folder, file.name)))) !== undefined)
    return file;
  const archived = await archiveFile(source, file.name);
  return archived?.sha256 === file.sha256
    ? { ...file, from: archived.path }
    : file;
}

/** What is, or is to be, published under a name keeps its contents: another file of that name is refused. */
async function checkNames(
  dsc: Dsc,
  name: string,
  staged: readonly AdmittedFile[],
  { policy, problems }: Admission,
): Promise<void> {
  const own = staged.filter((file) => file.name === name);
  for (const file of [...own, ...dsc.files]) {
    const archived = await policy.archiveFile(dsc.source, file.name);
    const isTaken = archived !== null && archived.sha256 !== file.sha256;
    const inFlight = isTaken ? null : policy.otherFileInFlight(dsc, file);
    if (!isTaken && inFlight === null) continue;
    const place = isTaken
      ? "the archive"
      : `ticket ${inFlight?.ticket ?? 0}, which is in flight,`;
    const sha256 = (isTaken ? archived : inFlight)?.sha256 ?? "";
    problems.push({
      where: name,
      ...(file.name !== name && { field: "Checksums-Sha256" }),
      message: `${file.name} is in ${place} with other contents (SHA-256 ${sha256}): take that file, or raise the ${/\.orig[.-]/.test(file.name) ? "upstream version" : "version"}`,
    });
  }
}

function checkArchitecture(
  { architectures }: Dsc,
  where: string,
  { policy: { architecture }, problems }: Admission,
): void {
  if (architectures.length === 0 || isBuiltOn(architecture, architectures))
    return;
  problems.push({
    where,
    field: "Architecture",
    message: `is ${architectures.join(" ")}: there is nothing to build on ${architecture}, the architecture of this installation`,
  });
}

/** A binary package may come from another source than before, but not with a lower version. */
export async function checkTakenOver(
  dsc: Dsc,
  where: string,
  series: string,
  { policy, problems }: Admission,
): Promise<void> {
  if (versionProblem(dsc.version) !== undefined) return;
  for (const name of binariesOn(dsc, policy.architecture)) {
    const held = await policy.archiveBinary(series, name);
    if (held === null || held.source === dsc.source) continue;
    if (compareVersions(dsc.version, held.version) > 0) continue;
    problems.push({
      where,
      field: "Binary",
      message: `${name} ${held.version} of source ${held.source} is in the archive of ${series}, which is not below ${dsc.version}`,
    });
  }
}

export function checkVersion(
  { source, version }: Changes,
  series: string | undefined,
  where: string,
  { policy, problems }: Admission,
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

export function checkTogether(
  uploads: readonly Pick<
    AdmittedUpload,
    "source" | "series" | "changesName" | "files"
  >[],
  problems: Problem[],
): void {
  const [first] = uploads;
  const sources = new Set<string>();
  const taken = new Set<string>();
  for (const upload of uploads) {
    if (sources.has(upload.source))
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
    for (const { name } of upload.files) {
      if (taken.has(name))
        problems.push({
          where: upload.changesName,
          field: "Files",
          message: `${name} is in another upload of this ticket too`,
        });
    }
    sources.add(upload.source);
    for (const { name } of upload.files) taken.add(name);
  }
}
