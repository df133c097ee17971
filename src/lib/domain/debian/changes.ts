import type { Problem } from "../error.ts";
import type { ListedFile } from "./control-file.ts";
import {
  readFileList,
  readIdentity,
  readStanza,
  required,
} from "./control-file.ts";

/** What a .changes file says (deb-changes(5)). */
export interface Changes {
  readonly source: string;
  readonly version: string;
  readonly distribution: string;
  readonly architectures: readonly string[];
  /** `Name <address>` of Changed-By, else of Maintainer. */
  readonly changedBy: string;
  readonly files: readonly ListedFile[];
  readonly signed: boolean;
}

/** Reads a .changes file; everything that is wrong goes into the list. */
export function readChanges(
  text: string,
  file: string,
  problems: Problem[],
): Changes | undefined {
  const read = readStanza(text, file, problems);
  if (read === undefined) return undefined;
  const { stanza, signed } = read;
  const { source, version } = readIdentity(stanza, file, problems);
  const architectures = required(stanza, "Architecture", file, problems).split(
    /\s+/,
  );
  const maintainer = required(stanza, "Maintainer", file, problems);
  for (const field of ["Format", "Date", "Changes"])
    required(stanza, field, file, problems);
  return {
    source,
    version,
    distribution: required(stanza, "Distribution", file, problems),
    architectures,
    changedBy: stanza.get("Changed-By")?.trim() ?? maintainer,
    files: readFileList(stanza, file, problems),
    signed,
  };
}
