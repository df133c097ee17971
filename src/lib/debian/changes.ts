import type { Problem } from "../domain/error.ts";
import { textProblem } from "../domain/shown-text.ts";
import { trimValue, wordsOf } from "./blanks.ts";
import type { ControlText, ListedFile } from "./control-file.ts";
import {
  readFileList,
  readIdentity,
  readStanza,
  required,
} from "./control-file.ts";

/** The contents of a .changes file (deb-changes(5)). */
export interface Changes {
  readonly source: string;
  readonly version: string;
  readonly distribution: string;
  readonly architectures: readonly string[];
  /** Changed-By, else Maintainer: `Name <address>`. */
  readonly changedBy: string;
  readonly files: readonly ListedFile[];
  readonly signed: boolean;
}

/** Reads a .changes file, and adds everything that is wrong to the list of problems. */
export function readChanges(
  contents: ControlText,
  file: string,
  problems: Problem[],
): Changes | undefined {
  const read = readStanza(contents, file, problems);
  if (read === undefined) return undefined;
  const { stanza, signed } = read;
  const { source, version } = readIdentity(stanza, file, problems);
  const architectures = wordsOf(
    required(stanza, "Architecture", file, problems),
  );
  const maintainer = required(stanza, "Maintainer", file, problems);
  const changedBy = trimValue(stanza.get("Changed-By") ?? maintainer);
  const message = textProblem(changedBy, "one");
  if (message !== null)
    problems.push({ where: file, field: "Changed-By", message });
  for (const field of ["Format", "Date", "Changes"])
    required(stanza, field, file, problems);
  return {
    source,
    version,
    distribution: required(stanza, "Distribution", file, problems),
    architectures,
    changedBy,
    files: readFileList(stanza, file, problems),
    signed,
  };
}

/** The address in `Name <address>`; empty when the text does not end with one. */
export function addressOf(person: string): string {
  const text = person.trimEnd();
  const begin = text.lastIndexOf("<") + 1;
  const address = text.slice(begin, -1);
  return begin > 0 && text.endsWith(">") && !address.includes(">")
    ? address
    : "";
}
