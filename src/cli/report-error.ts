import { CommanderError } from "commander";

import { withoutMilliseconds } from "../lib/domain/age.ts";
import type { Problem } from "../lib/domain/error.ts";
import {
  ExitCode,
  messageOf,
  troubleOfMachine,
  UbuntuCiError,
} from "../lib/domain/error.ts";
import type { Advice } from "../lib/domain/remedy.ts";
import { oneLine } from "../lib/domain/shown-text.ts";
import type { CallOptions } from "../lib/host/command-line.ts";
import { adviceText } from "../lib/host/command-line.ts";
import { underCron, warnPerson } from "../lib/host/cron-mail.ts";
import type { Coloured } from "../lib/host/output.ts";
import { hasColour, printJson } from "../lib/host/output.ts";
import type { GlobalOptions } from "./context.ts";

/** How to report an error, according to as much of the command line as was parsed. */
export interface ErrorStyle {
  readonly verbosity: GlobalOptions["verbosity"];
  /** Also print a JSON document on stdout. */
  readonly json: boolean;
  readonly callOptions: CallOptions;
  /** Replaces paths of internal copies by the files that the user named. */
  readonly named: (text: string) => string;
}

interface Told {
  readonly message: string;
  readonly hint?: Advice;
  readonly problems?: readonly Problem[];
  /** Shown at verbosity 3. */
  readonly stack?: string | undefined;
  readonly exit: ExitCode;
}

/** Reports an error on stderr and sets the process's exit code. */
export async function reportError(
  caught: unknown,
  style: ErrorStyle,
): Promise<void> {
  const thrown = troubleOfMachine(caught) ?? caught;
  if (thrown instanceof CommanderError) {
    // commander throws for help and version, too, and has printed its other messages itself.
    if (thrown.exitCode === 0) return;
    process.exitCode = ExitCode.refused;
    if (style.json) printDocument(usageError(thrown), style);
    return;
  }
  const told = toldOf(thrown);
  process.exitCode = told.exit;
  if (thrown instanceof UbuntuCiError && thrown.routine && underCron) return;
  await printError(told, style);
  // Writing to stdout may be the very thing that failed.
  if (style.json && told.exit !== ExitCode.notWritten)
    printDocument(told, style);
}

/** What commander says of a mistyped command line; its second line is a suggestion: "(Did you mean …?)". */
function usageError({ message: text }: CommanderError): Told {
  const [first = "", ...more] = text.replace(/^error: /, "").split("\n");
  const hint = more
    .join(" ")
    .trim()
    .replace(/^\((.*)\)$/, "$1");
  return {
    message: first,
    hint: hint === "" ? "--help shows what there is" : hint,
    exit: ExitCode.refused,
  };
}

function toldOf(thrown: unknown): Told {
  if (thrown instanceof UbuntuCiError) {
    const { message, hint, problems, cause, exitCode } = thrown;
    return {
      message,
      ...(hint !== undefined && { hint }),
      problems,
      stack: cause instanceof Error ? cause.stack : undefined,
      exit: exitCode,
    };
  }
  return {
    message: `a bug of ubuntu-ci: ${messageOf(thrown)}`,
    hint: "run it again with --verbosity 3 and report what it prints, with the version (ubuntu-ci --version)",
    stack: thrown instanceof Error ? thrown.stack : undefined,
    exit: ExitCode.bug,
  };
}

async function printError(
  { message, hint, problems = [], stack }: Told,
  { verbosity, callOptions, named }: ErrorStyle,
): Promise<void> {
  const lines = [
    named(message),
    ...problems.map(
      ({ where, field, message: what }) =>
        `  ${oneLine(`${named(where)}${field === undefined ? "" : `: ${field}`}: ${adviceText(what, callOptions)}`)}`,
    ),
    ...(hint === undefined ? [] : [`  ${adviceText(hint, callOptions)}`]),
    ...(verbosity === 3 && stack !== undefined ? [stack] : []),
  ];
  warnPerson([
    await nameInRed(),
    `: ${asOneError(withoutMilliseconds(lines.join("\n")))}`,
  ]);
}

function printDocument(
  { message, hint, problems = [], exit }: Told,
  { callOptions, named }: ErrorStyle,
): void {
  const error = {
    message: named(message),
    hint: hint === undefined ? null : adviceText(hint, callOptions),
    exit,
    problems: problems.map(({ where, field = null, message: what }) => ({
      where: named(where),
      field,
      message: adviceText(what, callOptions),
    })),
  };
  printJson({ error }, 2);
}

/** The program's name before an error: red on a terminal. */
async function nameInRed(): Promise<string | Coloured> {
  if (!hasColour("stderr")) return "ubuntu-ci";
  const { chalkStderr } = await import("chalk");
  return { text: "ubuntu-ci", colour: chalkStderr.red.bold };
}

/** Indents all lines but the first, so that no text inside can look like another error. */
export function asOneError(text: string): string {
  return text.replaceAll(/\r?\n(?! {2}|$)/g, "\n  ");
}
