/**
 * The one place that writes to standard output and standard error. Whatever text goes there is
 * cleaned here, so that nothing in it is a command to a terminal; colour is put on afterwards.
 */
import { once } from "node:events";
import type { Readable } from "node:stream";

import { ExitCode, UbuntuCiError } from "../domain/error.ts";
import { shownJson, shownText } from "../domain/shown-text.ts";

type Stream = "stdout" | "stderr";

/** A piece of a line, and what colours it where a person reads it. */
export interface Coloured {
  readonly text: string;
  readonly colour: (text: string) => string;
}

/** Text for people: as it is, or in pieces of which some have a colour. */
export type Shown = string | readonly (string | Coloured)[];

/** Writes cleaned text and a newline. */
export function printLine(stream: Stream, shown: Shown): void {
  process[stream].write(`${cleaned(shown)}\n`);
}

/** Writes cleaned text, without a newline at its end. */
export function printText(stream: Stream, text: string): void {
  process[stream].write(shownText(text));
}

/** Writes one JSON document to standard output. */
export function printJson(value: unknown, indent = 0): void {
  process.stdout.write(`${shownJson(value, indent)}\n`);
}

/** Writes bytes to standard output unchanged: a file's contents, piped or redirected. */
export async function printBytes(bytes: Readable): Promise<void> {
  const { pipeline } = await import("node:stream/promises");
  await pipeline(bytes, process.stdout, { end: false });
}

/** Writes a text that is read piece by piece to standard output, cleaned. */
export async function printStreamedText(bytes: Readable): Promise<void> {
  const decoder = new TextDecoder();
  for await (const piece of bytes) {
    const text = decoder.decode(piece as Buffer, { stream: true });
    if (!process.stdout.write(shownText(text)))
      await once(process.stdout, "drain");
  }
  printText("stdout", decoder.decode());
}

/** Whether a person sits behind that stream. */
export function isTerminal(stream: Stream): boolean {
  // isTTY is undefined when the stream is no terminal.
  return (process[stream].isTTY as boolean | undefined) === true;
}

/** Whether that stream may have colour (https://no-color.org). */
export function hasColour(stream: Stream): boolean {
  return isTerminal(stream) && (process.env["NO_COLOR"] ?? "") === "";
}

/** A closed pipe (`… | head`) or a lost terminal is no reason to stop half-way. */
export function ignoreClosedOutput(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") return;
      throw stream === process.stdout ? notWritten(error) : error;
    });
}

/** The work is done, but its result cannot be written: the disk it is redirected to is full, for example. */
function notWritten(error: Error): UbuntuCiError {
  return new UbuntuCiError(
    `standard output cannot be written: ${error.message}`,
    {
      exitCode: ExitCode.notWritten,
      hint: "make room where it goes to, and run it again",
    },
  );
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
