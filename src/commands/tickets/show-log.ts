import { refused } from "../../lib/domain/error.ts";
import type { LogRecord } from "../../lib/domain/log-record.ts";
import type { Tone } from "../../lib/domain/log-text.ts";
import { logText } from "../../lib/domain/log-text.ts";
import { hasColour, printJson, printLine } from "../../lib/host/output.ts";
import type { Result } from "../../cli/command.ts";
import type { CommandContext } from "../../cli/context.ts";

export interface LogOptions {
  readonly ticket?: number;
  readonly follow?: boolean;
  readonly since?: string;
  readonly lines?: number;
}

/** Prints the history; with --follow, also new events as they come. */
export async function showLog(
  context: CommandContext,
  { ticket, since, lines, follow }: LogOptions,
): Promise<Result | undefined> {
  if (lines !== undefined && lines < 0)
    throw refused("--lines must not be negative");
  const last =
    lines ?? (ticket === undefined && since === undefined ? 50 : undefined);
  const request = {
    ...(ticket !== undefined && { ticket }),
    ...(since !== undefined && { since }),
    ...(last !== undefined && { last }),
  };
  const tickets = await context.tickets();
  const print = await printer(context);
  if (follow === true) {
    for await (const record of tickets.follow(request, context.signal))
      print(record);
    return undefined;
  }
  const events = await tickets.history(request);
  if (context.options.json === true) return { value: { events } };
  for (const record of events) print(record);
  return undefined;
}

/** Makes the function that prints one record: a line of text, or of JSON with --json. */
async function printer(
  context: CommandContext,
): Promise<(record: LogRecord) => void> {
  if (context.options.json === true) return (record) => printJson(record);
  const colour = await colours();
  return (record) => {
    const { when, subject, what, tone, rest } = logText(record);
    printLine("stdout", [
      { text: when, colour: colour.dim },
      `  ${subject}  `,
      { text: what, colour: colour[tone] },
      `  ${rest}`,
    ]);
  };
}

async function colours(): Promise<
  Record<Tone | "dim", (text: string) => string>
> {
  const plain = (text: string) => text;
  if (!hasColour("stdout"))
    return { good: plain, bad: plain, warning: plain, plain, dim: plain };
  const { default: chalk } = await import("chalk");
  return {
    good: chalk.green,
    bad: chalk.red.bold,
    warning: chalk.yellow,
    plain,
    dim: chalk.dim,
  };
}
