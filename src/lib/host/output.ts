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
  const { pipeline } = await import("node:stream/promises");
  await pipeline(bytes, process.stdout, { end: false });
}

/** Writes text from a stream to standard output, escaped. */
export async function printStreamedText(bytes: Readable): Promise<void> {
  const decoder = new TextDecoder();
  for await (const piece of bytes) {
    const text = decoder.decode(piece as Buffer, { stream: true });
    if (!process.stdout.write(shownText(text)))
      await once(process.stdout, "drain");
  }
  printText("stdout", decoder.decode());
}

/** Whether a stream is a terminal. */
export function isTerminal(stream: Stream): boolean {
  // isTTY is undefined when the stream is no terminal.
  return (process[stream].isTTY as boolean | undefined) === true;
}

/** Whether output to a stream may be coloured (https://no-color.org). */
export function hasColour(stream: Stream): boolean {
  return isTerminal(stream) && (process.env["NO_COLOR"] ?? "") === "";
}

/** Ignores a closed pipe (`… | head`) or a lost terminal: the command still finishes its work. */
export function ignoreClosedOutput(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") return;
      throw stream === process.stdout ? notWritten(error) : error;
    });
}

/** The error for work whose result could not be written, because the disk is full for example. */
function notWritten(error: Error): UbuntuCiError {
  return new UbuntuCiError(
    `standard output cannot be written: ${error.message}`,
    {
      exitCode: ExitCode.notWritten,
      hint: "make room where it goes to, and run it again",
    },
  );
}

/** The text without colours. */
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
