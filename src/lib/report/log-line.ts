import { AnsiUp } from "ansi_up";

import { shownText } from "../domain/shown-text.ts";

/** A line of a log as HTML, in which nothing is a tag but the colours. */
interface LineHtml {
  readonly html: string;
  /** Whether only the last of several states is shown, as of a progress line that rewrote itself. */
  readonly isLastState: boolean;
}

const ansi = new AnsiUp();
ansi.use_classes = true;
// The pages forbid inline style, and ansi_up has no classes for these: asClasses makes some of them.
ansi.boldStyle = "bold";
ansi.faintStyle = "faint";
ansi.italicStyle = "italic";
ansi.underlineStyle = "underline";

/** Begins an escape sequence (ECMA-48, CSI). */
const csi = "\x1b[";

/** Colours are left out where they would take more than so many times the text, and a bit. */
const mostMarkup = { times: 8, units: 1024 };

/** Shows a line of a log. Colours end with the line, since a program that was killed never ends its own. */
export function lineHtml(line: string): LineHtml {
  if (isPlain(line))
    return { html: escapeText(shownText(line)), isLastState: false };
  const { before, last } = lastState(line);
  const { text, coloured } = readColours(last);
  const isLastState = before !== "";
  const html = escapeText(text);
  const colours = `${coloursOf(before)}${coloured}`;
  if (!colours.includes(csi)) return { html, isLastState };
  const shown = asClasses(ansi.ansi_to_html(`${csi}m${colours}`));
  const isTooMuch =
    shown.length > mostMarkup.times * html.length + mostMarkup.units;
  return { html: isTooMuch ? html : shown, isLastState };
}

/** The text that is shown of a line: one state of it, without colours, hidden characters escaped. */
export function lineText(line: string): string {
  return isPlain(line)
    ? shownText(line)
    : readColours(lastState(line).last).text;
}

const isPlain = (line: string) => !line.includes("\r") && !line.includes(csi);

/** Escapes text between tags. Quotes mean nothing there, and logs are full of them. */
function escapeText(text: string): string {
  return /[&<>]/.test(text)
    ? text
        .replaceAll("&", "&amp;")
        .replaceAll("<", "&lt;")
        .replaceAll(">", "&gt;")
    : text;
}

/** What a line shows at its end, after programs went back to its beginning (CR) and wrote over it. */
function lastState(line: string): { before: string; last: string } {
  let end = line.length;
  while (end > 0 && line[end - 1] === "\r") end -= 1;
  const from = end === 0 ? 0 : line.lastIndexOf("\r", end - 1) + 1;
  return { before: line.slice(0, from), last: line.slice(from, end) };
}

/** The sequences that set colours (SGR) and erase in a line (EL), as they stand behind `csi`. */
const known = /^(?:[0-9;]{0,40}m|[0-2]?K)/;

/** A text without its colours and with them; what erases is left out, and all else is escaped. */
function readColours(line: string): { text: string; coloured: string } {
  let at = line.indexOf(csi);
  let text = shownText(at < 0 ? line : line.slice(0, at));
  let coloured = text;
  while (at >= 0) {
    const next = line.indexOf(csi, at + csi.length);
    const part = line.slice(at + csi.length, next < 0 ? line.length : next);
    const sequence = known.exec(part)?.[0];
    const rest = shownText(
      sequence === undefined ? csi + part : part.slice(sequence.length),
    );
    if (sequence?.endsWith("m") === true) coloured += csi + sequence;
    text += rest;
    coloured += rest;
    at = next;
  }
  return { text, coloured };
}

/** The colours that a text sets, without the text. */
function coloursOf(text: string): string {
  if (text === "") return "";
  return text
    .split(csi)
    .slice(1)
    .map((part) => known.exec(part)?.[0] ?? "")
    .filter((sequence) => sequence.endsWith("m"))
    .map((sequence) => csi + sequence)
    .join("");
}

/** Turns the styles that ansi_up writes into classes. Quotes of the text are escaped, so these are its own. */
function asClasses(html: string): string {
  return html.replaceAll(
    /<span style="([^"]*)"(?: class="([^"]*)")?>/g,
    (_, styles: string, classes: string | undefined) =>
      `<span class="${[...styles.split(";").map(classOf), ...(classes === undefined ? [] : [classes])].join(" ")}">`,
  );
}

const rgb = /^(background-)?color:rgb\((\d+),(\d+),(\d+)\)$/;

function classOf(style: string): string {
  const [, background, ...levels] = rgb.exec(style) ?? [];
  if (levels.length === 0) return `ansi-${style}`;
  const name = nearest(levels.map(Number));
  return `ansi-${name}-${background === undefined ? "fg" : "bg"}`;
}

const names = "black red green yellow blue magenta cyan white".split(" ");

/** The one of the sixteen colours that is like a colour; the style sheet makes these readable. */
function nearest(levels: readonly number[]): string {
  const most = Math.max(...levels);
  const least = Math.min(...levels);
  if (most - least < 32)
    return most < 64 ? "black" : most < 192 ? "bright-black" : "white";
  const bits = levels.map((level) => level > (most + least) / 2);
  return (
    names[bits.reduce((sum, bit, at) => sum + (bit ? 1 << at : 0), 0)] ?? ""
  );
}
