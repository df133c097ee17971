import { lineFinder, type Wanted } from "./log-finder.ts";
import { readLog } from "./log-reader.ts";
import { sectionFinder, type LogSection } from "./log-sections.ts";

/** Most lines and UTF-16 units of a page. */
const pageLimit = { lines: 5000, units: 1_000_000 };

/** Of a log with more pages, only so many of its beginning and of its end are made. */
const mostPages = { first: 500, last: 500 };

/** A page of a log, with the lines that begin on it. */
export interface LogRange {
  /** Its place among all pages of the log, from 0. */
  readonly index: number;
  readonly from: number;
  readonly to: number;
}

/** What a log contains and how it is divided. */
export interface LogIndex {
  readonly lines: number;
  /** Its size, unpacked. */
  readonly bytes: number;
  readonly pages: readonly LogRange[];
  readonly sections: readonly LogSection[];
  /** Line numbers by what was looked for. */
  readonly lineOf: ReadonlyMap<string, number>;
}

/** Says before each piece of a log whether a new page begins with it. */
export function pageCutter(): (text: string) => boolean {
  let lines = 0;
  let units = 0;
  return (text) => {
    const isNew =
      lines > 0 &&
      (lines >= pageLimit.lines || units + text.length > pageLimit.units);
    if (isNew) {
      lines = 0;
      units = 0;
    }
    lines += 1;
    units += text.length + 1;
    return isNew;
  };
}

/** Reads a log to find its pages, its sections, and the lines that are wanted. */
export async function indexLog(
  path: string,
  wanted: Wanted,
  signal?: AbortSignal,
): Promise<LogIndex> {
  const cut = pageCutter();
  const sections = sectionFinder();
  const finder = lineFinder(wanted);
  let number = 0;
  let page = { index: 0, from: 1, to: 0 };
  const pages = [page];
  const bytes = await readLog(
    path,
    (text, continues) => {
      if (!continues) number += 1;
      if (cut(text)) {
        page = { index: page.index + 1, from: number, to: number };
        pages.push(page);
        if (pages.length > mostPages.first + mostPages.last)
          pages.splice(mostPages.first, 1);
      }
      page.to = number;
      if (continues) return;
      const result = sections.line(text, number);
      if (result !== null) finder.result(result, number);
      finder.line(text, number);
    },
    () => Promise.resolve(),
    signal,
  );
  return {
    lines: number,
    bytes,
    pages,
    sections: sections.end(number),
    lineOf: finder.found(),
  };
}
