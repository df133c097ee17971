/**
 * The only module that writes to standard output and standard error. It escapes control characters in
 * all text, so that nothing in it can command a terminal; colour is added afterwards.
 */
import { once } from "node:events";
import type { Readable } from "node:stream";

import { ExitCode, UbuntuCiError } from "../domain/error.ts";
import { shownJson, shownText } from "../domain/shown-text.ts";

type Stream = "stdout" | "stderr";

/** Part of a line, with the function that colours it on a terminal. */
export interface Coloured {
  readonly text: string;
  readonly colour: (text: string) => string;
}

/** Text for people: plain, or in parts of which some have a colour. */
export type Shown = string | readonly (string | Coloured)[];

/** Writes escaped text and a newline. */
export function printLine(stream: Stream, shown: Shown): void {
  process[stream].write(`${cleaned(shown)}\n`);
}

/** Writes escaped text, without a newline at its end. */
export function printText(stream: Stream, text: string): void {
  process[stream].write(shownText(text));
}

/** Writes one JSON document to standard output. */
export function printJson(value: unknown, indent = 0): void {
  process.stdout.write(`${shownJson(value, indent)}\n`);
}

/** Writes bytes to standard output unchanged, for a file that is piped or redirected. */
export async function printBytes(bytes: Readable): Promise<void> {
  for await (const piece of bytes)
    if (!process.stdout.write(piece as Buffer)) await drained();
}

/** Waits until standard output takes more. @throws UbuntuCiError (74) when it never will */
async function drained(): Promise<void> {
  try {
    await once(process.stdout, "drain");
  } catch (thrown) {
    throw notWritten(thrown as NodeJS.ErrnoException);
  }
}

/** Writes text from a stream to standard output, escaped. */
export async function printStreamedText(bytes: Readable): Promise<void> {
  const decoder = new TextDecoder();
  for await (const piece of bytes) {
    const text = decoder.decode(piece as Buffer, { stream: true });
    if (!process.stdout.write(shownText(text))) await drained();
  }
  printText("stdout", decoder.decode());
}

/** Whether a stream is a terminal. */
export function isTerminal(stream: Stream): boolean {
  // isTTY is undefined when the stream is no terminal.
  return (process[stream].isTTY as boolean | undefined) === true;
}

/** Columns of the terminal behind that stream; undefined when there is none. */
export function terminalWidth(stream: Stream): number | undefined {
  // It is 0 where the terminal does not know.
  return isTerminal(stream) ? process[stream].columns || undefined : undefined;
}

/** Whether that stream may have colour (https://no-color.org). */
export function hasColour(stream: Stream): boolean {
  return isTerminal(stream) && (process.env["NO_COLOR"] ?? "") === "";
}

/** bin/ubuntu-ci sets this variable, because Node opens /dev/null in the place of a closed descriptor. */
const closedVariable = "UBUNTU_CI_STDOUT_CLOSED";

/**
 * Looks after output that nobody can read. What goes to standard error is narration: without it the
 * work goes on. A result that cannot be written is an error, told once, whatever else was done.
 *
 * @param lost told of the first failure to write to standard output
 */
export function watchOutput(lost: (error: UbuntuCiError) => void): void {
  process.stderr.on("error", () => undefined);
  let told = false;
  const tell = (error: NodeJS.ErrnoException) => {
    if (told) return;
    told = true;
    lost(notWritten(error));
  };
  process.stdout.on("error", tell);
  if (process.env[closedVariable] !== "1") return;
  process.stdout.write = () => {
    tell(Object.assign(new Error("it is closed"), { code: "EBADF" }));
    return true;
  };
}

const whyNotWritten: Readonly<Record<string, string>> = {
  EPIPE: "nobody reads it any more",
  EBADF: "it is closed",
  ENOSPC: "no space left on device",
  EIO: "the terminal is gone",
};

/** The work is done, but its result cannot be written: the disk it is redirected to is full, for example. */
function notWritten({ code = "", message }: NodeJS.ErrnoException) {
  return new UbuntuCiError(
    `standard output cannot be written: ${whyNotWritten[code] ?? message}`,
    { exitCode: ExitCode.notWritten },
  );
}

/** Shows the cursor of a terminal, which live progress hides. */
export function showCursor(): void {
  for (const stream of ["stdout", "stderr"] as const)
    if (isTerminal(stream)) {
      process[stream].write("\u001b[?25h");
      return;
    }
}

/** Text without its colours. */
export function plainText(shown: Shown): string {
  return typeof shown === "string"
    ? shown
    : shown
        .map((piece) => (typeof piece === "string" ? piece : piece.text))
        .join("");
}

function cleaned(shown: Shown): string {
  if (typeof shown === "string") return shownText(shown);
  return shown
    .map((piece) =>
      typeof piece === "string"
        ? shownText(piece)
        : piece.colour(shownText(piece.text)),
    )
    .join("");
}
