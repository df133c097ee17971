import { join } from "node:path";

import { Eta } from "eta";

import { shownText } from "../domain/shown-text.ts";
import { programRoot } from "../host/paths.ts";

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Escapes text for HTML, including quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (found) => entities[found] ?? "");
}

function templates(escape: (text: string) => string): Eta {
  return new Eta({
    views: join(programRoot, "templates"),
    autoTrim: false,
    cache: true,
    escapeFunction: (text) => escape(shownText(String(text))),
  });
}

/** The templates of HTML. All text in it can contain neither tags nor hidden characters. */
export const htmlTemplates = (): Eta => templates(escapeHtml);

/** The templates of plain text, in which no text contains hidden characters. */
export const textTemplates = (): Eta => templates((text) => text);
