import { packageName } from "../debian/control-file.ts";
import type { Problem } from "../domain/error.ts";
import { isMailAddress } from "../domain/mailbox.ts";
import { textProblem } from "../domain/shown-text.ts";
import { now } from "../host/clock.ts";

/** Checks the names of binary packages that an option was given. */
export function checkNames(
  option: string,
  names: readonly string[],
  problems: Problem[],
): void {
  for (const name of names) {
    if (!packageName.test(name)) {
      problems.push({
        where: option,
        message: `${JSON.stringify(name)} is not the name of a binary package`,
      });
    }
  }
}

/** Checks texts that a person typed. They are cleaned where they are shown; a mistake is refused at once. */
export function checkWords(
  words: {
    readonly title?: string;
    readonly description?: string;
    readonly owner?: string | null;
    readonly eta?: string | null;
  },
  problems: Problem[],
): void {
  const { title, description, owner, eta } = words;
  if (title !== undefined) {
    if (title.trim() === "")
      problems.push({ where: "--title", message: "is empty" });
    checkText("--title", title, "one", problems);
  }
  if (description !== undefined)
    checkText("--description", description, "many", problems);
  if (owner != null && !isMailAddress(owner))
    problems.push({
      where: "--owner",
      message: `${JSON.stringify(owner)} is not an email address`,
    });
  // Today is not over yet.
  if (eta != null && eta.slice(0, 10) < now().slice(0, 10))
    problems.push({
      where: "--eta",
      message: `${eta.slice(0, 10)} has passed already`,
    });
}

function checkText(
  where: string,
  text: string,
  lines: "one" | "many",
  problems: Problem[],
): void {
  const message = textProblem(text, lines);
  if (message !== null) problems.push({ where, message });
}

/** A bug as a URL: a number is one of Launchpad's, a URL stays. */
export function bugUrl(text: string, problems: Problem[]): string | null {
  if (/^[1-9][0-9]*$/.test(text))
    return `https://bugs.launchpad.net/bugs/${text}`;
  if (
    URL.canParse(text) &&
    /^https?:$/.test(new URL(text).protocol) &&
    // A browser's URL may have them; they are nothing that anybody means.
    !/\s/.test(text) &&
    textProblem(text, "one") === null
  )
    return text;
  problems.push({
    where: "--bug",
    message: `${JSON.stringify(text)} is neither a number nor an http(s) URL`,
  });
  return null;
}
