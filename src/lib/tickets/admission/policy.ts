import type { Archive } from "../../backends/archive/archive.ts";
import type { ListedFile } from "../../debian/control-file.ts";
import type { Dsc } from "../../debian/dsc.ts";
import type { Problem } from "../../domain/error.ts";

/** The rules and lookups that admission decides by. */
export interface AdmissionPolicy {
  readonly knownSeries: readonly string[];
  /** What else a Distribution may be: the setting `admission.suites`. */
  readonly suites: Readonly<Record<string, string>>;
  /** The Debian architecture that this installation builds for. */
  readonly architecture: string;
  /** Series asked for on the command line, instead of the .changes' Distribution. */
  readonly series: string | null;
  readonly signatures: "required" | "optional";
  readonly maxFileBytes: number;
  readonly maxFiles: number;
  readonly maxTotalBytes: number;
  /** Folder with the uploaders' keys. */
  readonly uploaders: string;
  readonly archiveVersion: (series: string, source: string) => string | null;
  /** The binary package of that name in the archive. */
  readonly archiveBinary: (
    series: string,
    name: string,
  ) => Promise<{ readonly version: string; readonly source: string } | null>;
  /** The file of that name in the archive. */
  readonly archiveFile: Archive["fileOf"];
  /** Ticket in flight with that very source and version, or null. */
  readonly inFlight: (source: string, version: string) => number | null;
  /** A file of that name with other contents, in a ticket in flight with another version of the source. */
  readonly otherFileInFlight: (
    dsc: Pick<Dsc, "source" | "version">,
    file: Pick<ListedFile, "name" | "sha256">,
  ) => { readonly ticket: number; readonly sha256: string } | null;
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
  readonly dsc: Dsc;
  readonly files: readonly AdmittedFile[];
}

/** The state of one ticket's admission. */
export interface Admission {
  readonly policy: AdmissionPolicy;
  /** How many more files and bytes it may have. */
  readonly budget: { bytes: number; files: number };
  /** Everything found wrong so far; a check adds to it and goes on. */
  readonly problems: Problem[];
}
