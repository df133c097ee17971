import { hostname } from "node:os";

import { withoutMilliseconds } from "../domain/age.ts";
import type { Letter, LetterPart } from "../domain/reminder.ts";
import { subjectOf } from "../domain/reminder.ts";
import { oneLine } from "../domain/shown-text.ts";
import { adviceText } from "../host/command-line.ts";
import { htmlTemplates, textTemplates } from "../report/templates.ts";

/** A letter as its recipient gets it. */
export interface WrittenLetter {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

/** How many matters of a kind a mail names; of the others it says how many there are. */
const named = 20;

/** Longest subject, in characters; lists of mails show less. */
const longestSubject = 150;

const headings: Readonly<Record<LetterPart["kind"], string>> = {
  failed: "Failed",
  published: "Published",
  testing: "Needs testing",
  list: "Needs somebody",
};

/**
 * Writes letters as text and HTML.
 *
 * @param title of this installation
 * @param at when they are written, ISO 8601 UTC
 */
export function letterWriter(
  title: string,
  at: string,
): (letter: Letter) => WrittenLetter {
  const [text, html] = [textTemplates(), htmlTemplates()];
  return (letter) => {
    const data = {
      title: oneLine(title),
      host: hostname(),
      at: withoutMilliseconds(at),
      parts: letter.parts.map(({ kind, matters }) => ({
        heading: headings[kind],
        more: Math.max(0, matters.length - named),
        matters: matters.slice(0, named).map((matter) => ({
          words: oneLine(matter.words),
          details: matter.details.flatMap((lines) => lines.split("\n")),
          commands: matter.commands.map(({ command, effect }) => ({
            command: adviceText(command),
            effect: adviceText(effect),
          })),
        })),
      })),
    };
    const subject = oneLine(`[${title}] ${subjectOf(letter)}`);
    return {
      to: letter.to,
      subject:
        subject.length > longestSubject
          ? `${subject.slice(0, longestSubject)}…`
          : subject,
      text: text.render("mail-text", data),
      html: html.render("mail-html", data),
    };
  };
}
