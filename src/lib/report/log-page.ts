import { isDownload } from "../domain/published-name.ts";
import { pageCutter, type LogIndex } from "./log-index.ts";
import { lineHtml } from "./log-line.ts";
import { pieceLength, readLog } from "./log-reader.ts";
import type { LogSection } from "./log-sections.ts";
import { htmlTemplates } from "./templates.ts";
import { duration, sizeInWords } from "./view-model.ts";

const linesOfBlock = 64;

/** What is on a page of one section. */
interface Part {
  readonly section: LogSection;
  isOpen: boolean;
  /** Whether the section began on a page before. */
  readonly continues: boolean;
  /** Lines as HTML, those before the last few joined: many small texts keep the garbage collector busy. */
  readonly blocks: string[];
  readonly recent: string[];
}

/** The lines of a page. */
interface DrawnPage {
  readonly parts: Part[];
  /** Whether pieces of lines are on it. */
  isCut: boolean;
  /** Whether lines are on it of which only the last state is shown. */
  hasLastStates: boolean;
}

/**
 * Draws the pages of a log, one after the other.
 *
 * @param opening lines whose sections are open; so are those of failed tests, and the last
 * @param take takes a page and its place among those of the index
 * @throws Error when the log is not the one that the index was made of
 */
export async function drawLog(
  path: string,
  index: LogIndex,
  opening: readonly number[],
  take: (page: DrawnPage, at: number) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  const { sections, pages } = index;
  const opened = new Set(
    sections.filter(
      ({ from, to, result }, at) =>
        result === "FAIL" ||
        at === sections.length - 1 ||
        opening.some((line) => from <= line && line <= to),
    ),
  );
  const cut = pageCutter();
  const complete: DrawnPage[] = [];
  let page: DrawnPage = { parts: [], isCut: false, hasLastStates: false };
  /** The place of the page among all, and how many were taken and are complete. */
  let place = 0;
  let taken = 0;
  let ended = 0;
  let number = 0;
  let at = 0;
  const endPage = () => {
    if (pages[ended]?.index === place) {
      // A page with nothing else on it is of no use when that is closed.
      const [first, ...others] = page.parts;
      if (first !== undefined && others.length === 0) first.isOpen = true;
      complete.push(page);
      ended += 1;
    }
    page = { parts: [], isCut: false, hasLastStates: false };
    place += 1;
  };
  // A page is written while the next is drawn.
  let taking = Promise.resolve();
  const give = async () => {
    for (const one of complete.splice(0)) {
      await taking;
      signal?.throwIfAborted();
      taking = take(one, taken);
      // Who waits for it next hears of it.
      taking.catch(() => undefined);
      taken += 1;
    }
  };
  const takeLine = (text: string, continues: boolean) => {
    if (cut(text)) endPage();
    if (!continues) number += 1;
    if (pages[ended]?.index !== place) return;
    while (number > (sections[at]?.to ?? Infinity)) at += 1;
    const section = sections[at];
    if (section === undefined) return;
    let part = page.parts.at(-1);
    if (part?.section !== section) {
      part = {
        section,
        isOpen: opened.has(section),
        continues: continues || number > section.from,
        blocks: [],
        recent: [],
      };
      page.parts.push(part);
    }
    const { html, isLastState } = lineHtml(text);
    page.isCut ||= continues;
    page.hasLastStates ||= isLastState;
    const kind = isLastState ? ' class="last-state"' : "";
    part.recent.push(
      continues
        ? `<span class="more">${html}\n</span>`
        : `<span id="L${number}"${kind}><a href="#L${number}" data-n="${number}" tabindex="-1" aria-hidden="true"></a>${html}\n</span>`,
    );
    if (part.recent.length === linesOfBlock)
      part.blocks.push(part.recent.splice(0).join(""));
  };
  try {
    const bytes = await readLog(path, takeLine, give, signal);
    endPage();
    await give();
    if (bytes !== index.bytes || taken !== pages.length)
      throw new Error(`${path} changed while it was read`);
  } finally {
    await taking;
  }
}

const eta = htmlTemplates();

/** The body of a page around the lines that were drawn, by what is the same on all pages of the log. */
export function logTemplate(
  common: object,
): (drawn: DrawnPage, page: { readonly number: number }) => string {
  return (drawn, page) =>
    eta.render("log", {
      ...common,
      ...drawn,
      page,
      pieceLength,
      grouped,
      extent,
      isDownload,
      sizeInWords,
    });
}

/** A number with its thousands set apart. */
function grouped(number: number): string {
  return String(number).replaceAll(/\B(?=(?:\d{3})+$)/g, ",");
}

/** How long a section is, and how long it took. */
function extent({ from, to, seconds }: LogSection): string {
  const lines = to - from + 1;
  const length = `${grouped(lines)} ${lines === 1 ? "line" : "lines"}`;
  if (seconds === null) return length;
  return `${length}, ${seconds < 60 ? `${seconds} s` : duration(seconds * 1000)}`;
}
