import { dirname } from "node:path";

import { binaryFile } from "../../debian/package-file.ts";
import type { Changes } from "../../debian/changes.ts";
import type { ListedFile } from "../../debian/control-file.ts";
import type { Dsc } from "../../debian/dsc.ts";
import { compareVersions, versionProblem } from "../../debian/version.ts";
import type { Problem } from "../../domain/error.ts";
import type { Admission, AdmittedFile, AdmittedUpload } from "./policy.ts";
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

/** The series; a pocket behind it (`bookworm-proposed`) is ignored. */
export function checkSeries(
  { distribution }: Changes,
  where: string,
  { policy, problems }: Admission,
): string | undefined {
  const series =
    policy.series ??
    distribution.replace(/-(?:proposed|updates|security|backports)$/, "");
  if (distribution === "" && policy.series === null) return undefined;
  if (policy.knownSeries.includes(series)) return series;
  const known =
    policy.knownSeries.length === 0
      ? advice`there is none yet: ${remedy("init")}`
      : `known: ${policy.knownSeries.join(", ")}; --series names another`;
  const message =
    series === "UNRELEASED"
      ? "is UNRELEASED: release the changelog first (dch --release)"
      : advice`${JSON.stringify(series)} is not a series here; ${known}`;
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
  const { problems } = admission;
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
  place.staged.push(
    ...(await stageListed(
      beside,
      dirname(place.path),
      place.folder,
      name,
      admission,
    )),
  );
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
  uploads: readonly AdmittedUpload[],
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
