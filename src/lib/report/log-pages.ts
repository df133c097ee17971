import { createHash } from "node:crypto";
import { open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";

import { shownJson } from "../domain/shown-text.ts";
import { besidePath, isUnfinished } from "../files/atomic-file.ts";
import { crashPoint } from "../files/crash-point.ts";
import { makePublicFolder } from "../files/public-files.ts";
import { publicFile } from "../files/modes.ts";
import { hasCode, ifExists } from "../files/optional-file.ts";
import type { Wanted } from "./log-finder.ts";
import { indexLog, type LogRange } from "./log-index.ts";
import { drawLog, logTemplate } from "./log-page.ts";
import type { LogSection } from "./log-sections.ts";

/** Counts up when pages are made in another manner, so that those made before are made again. */
const format = 1;

/** A log, and where and how its pages are made. */
export interface LogToShow {
  /** Path of the file. */
  readonly log: string;
  /** Changes when the file does; together with what is wanted it says whether pages are made again. */
  readonly identity: string;
  /** Its name for people. */
  readonly name: string;
  /** Absolute path of the folder of its pages, with nothing else in it. */
  readonly folder: string;
  /** Where the raw file is, relative to that folder. */
  readonly rawUrl: string;
  /** What the log belongs to, and its page, relative to that folder. */
  readonly of: { readonly title: string; readonly url: string };
  readonly wanted: Wanted;
  /** Puts the body of a page into the page. */
  readonly frame: (title: string, body: string) => string;
}

/** The pages of a log; `index.json` beside them says the same. */
export interface LogPages {
  readonly log: string;
  readonly lines: number;
  readonly bytes: number;
  readonly pages: readonly LogPage[];
  /** Lines that are on no page, because there are too many. */
  readonly omitted: { readonly from: number; readonly to: number } | null;
  readonly sections: readonly LogSection[];
  /** Where what is wanted was found. */
  readonly found: readonly { readonly text: string; readonly line: number }[];
  /** What all this was made from. */
  readonly made_from: string;
}

/** A page of a log: the lines on it, and its file's name, SHA-256 and size. */
interface LogPage {
  readonly number: number;
  readonly from: number;
  readonly to: number;
  readonly url: string;
  readonly sha256: string;
  readonly bytes: number;
}

const indexName = "index.json";

/**
 * Writes the pages of a log, unless they are there. They are made beside their place and moved there when
 * all are complete, `index.json` last: who sees that sees the pages that it lists.
 *
 * @throws the signal's reason when it was aborted; system errors, ENOENT when there is no such log
 */
export async function writeLogPages(
  show: LogToShow,
  signal?: AbortSignal,
): Promise<LogPages> {
  const made_from = createHash("sha256")
    .update(JSON.stringify([format, show.identity, show.rawUrl, show.wanted]))
    .digest("hex");
  const there = await readPages(show.folder);
  if (there?.made_from === made_from) return there;
  // Nothing is made for a log that is gone.
  await stat(show.log);
  const above = dirname(show.folder);
  makePublicFolder(above);
  // Those of a report that was killed; no other writes at the same time.
  for (const name of await readdir(above))
    if (isUnfinished(name))
      await rm(join(above, name), { recursive: true, force: true });
  const temporary = besidePath(show.folder);
  makePublicFolder(temporary);
  try {
    const made = await makePages(show, temporary, made_from, signal);
    await writeNew(join(temporary, indexName), Buffer.from(indexText(made)));
    crashPoint("report.log-made");
    await moveInto(show.folder, temporary, [
      ...made.pages.map(({ url }) => url),
      indexName,
    ]);
    return made;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** What `index.json` says. */
export const indexText = (pages: LogPages): string =>
  `${shownJson(pages, 2)}\n`;

/** The pages that are in a folder; undefined when there are none, or not all. */
export async function readPages(folder: string): Promise<LogPages | undefined> {
  const text = await ifExists(readFile(join(folder, indexName), "utf8"));
  if (text === undefined) return undefined;
  try {
    const pages = JSON.parse(text) as LogPages;
    // Nothing is flushed here: after a power failure files may be empty.
    for (const { url, bytes } of pages.pages)
      if ((await stat(join(folder, url))).size !== bytes) return undefined;
    return pages;
  } catch {
    return undefined;
  }
}

/** The URL of a line, relative to the folder of the pages; of the page nearest to it where it is on none. */
export function urlOfLine({ pages }: LogPages, line: number): string {
  const page = pages.find(({ to }) => to >= line) ?? pages.at(-1);
  if (page === undefined) return "index.html";
  return page.from <= line && line <= page.to
    ? `${page.url}#L${line}`
    : page.url;
}

/** The URL of the line where something wanted was found, relative to the folder; undefined when it was not. */
export function urlOfFound(
  pages: LogPages,
  wanted: string,
): string | undefined {
  const found = pages.found.find(({ text }) => text === wanted);
  return found && urlOfLine(pages, found.line);
}

/** Makes the pages in a new folder, one after the other. */
async function makePages(
  { log: path, name, wanted, of, rawUrl, frame }: LogToShow,
  folder: string,
  made_from: string,
  signal: AbortSignal | undefined,
): Promise<LogPages> {
  const index = await indexLog(path, wanted, signal);
  const { lines, bytes, sections } = index;
  const pages = index.pages.map(({ from, to }, at) => ({
    number: at + 1,
    from,
    to,
    url: at === 0 ? "index.html" : `page-${at + 1}.html`,
    sha256: "",
    bytes: 0,
  }));
  const made: LogPages = {
    log: name,
    lines,
    bytes,
    pages,
    omitted: omittedFrom(index.pages),
    sections,
    found: [...index.lineOf].map(([text, line]) => ({ text, line })),
    made_from,
  };
  const reasons = made.found.filter(({ text }) =>
    wanted.reasons.includes(text),
  );
  const body = logTemplate({
    log: made,
    of,
    rawUrl,
    verdicts: reasons.map((one) => ({
      ...one,
      url: urlOfLine(made, one.line),
    })),
    contents: sections.map((section) => ({
      section,
      url: urlOfLine(made, section.from),
    })),
  });
  const opening = reasons.map(({ line }) => line);
  await drawLog(
    path,
    index,
    opening,
    async (drawn, at) => {
      const page = pages[at];
      if (page === undefined) return;
      const lines = `lines ${page.from} to ${page.to}`;
      const title = pages.length === 1 ? name : `${name}, ${lines}`;
      const bytes = Buffer.from(frame(title, body(drawn, page)));
      page.sha256 = createHash("sha256").update(bytes).digest("hex");
      page.bytes = bytes.length;
      await writeNew(join(folder, page.url), bytes);
    },
    signal,
  );
  return made;
}

/** The lines between the pages of the beginning and those of the end. */
function omittedFrom(pages: readonly LogRange[]): LogPages["omitted"] {
  const at = pages.findIndex(({ index }, place) => index !== place);
  const [before, after] = [pages[at - 1], pages[at]];
  return before === undefined || after === undefined
    ? null
    : { from: before.to + 1, to: after.from - 1 };
}

/** Writes a new file that everybody may read. */
async function writeNew(path: string, bytes: Buffer): Promise<void> {
  const file = await open(path, "wx", publicFile);
  try {
    await file.writeFile(bytes);
    await file.chmod(publicFile);
  } finally {
    await file.close();
  }
}

/**
 * Moves new pages to their place. Where there are older ones, each is replaced by itself, so that a reader
 * never misses a page.
 */
async function moveInto(
  folder: string,
  temporary: string,
  names: readonly string[],
): Promise<void> {
  try {
    await rename(temporary, folder);
  } catch (thrown) {
    if (!hasCode(thrown, "ENOTEMPTY") && !hasCode(thrown, "EEXIST"))
      throw thrown;
    for (const name of names)
      await rename(join(temporary, name), join(folder, name));
    for (const name of await readdir(folder))
      if (!names.includes(name)) await rm(join(folder, name), { force: true });
  }
}
