import { refused } from "../lib/domain/error.ts";
import type { LogRecord } from "../lib/domain/log-record.ts";
import type { Tone } from "../lib/domain/log-text.ts";
import { logText } from "../lib/domain/log-text.ts";
import { followLines } from "../lib/host/follow-file.ts";
import { lastLines, logFile, parseLogLine } from "../lib/host/log-file.ts";
import { openDatabase } from "../lib/state/database.ts";
import { listEvents, logRecord } from "../lib/state/events.ts";
import type { CommandContext } from "./context.ts";

/** What of the log to show. */
export interface LogOptions {
  readonly follow?: boolean;
  readonly since?: string;
  readonly lines?: number;
}

/** Prints the history, and with --follow what is added to it. */
export async function showLog(
  context: CommandContext,
  ticket: number | undefined,
  options: LogOptions,
): Promise<void> {
  const print = await printer(context);
  if (options.follow !== true) {
    const records = history(context, ticket, options);
    if (context.options.json === true) context.result("", { events: records });
    else for (const record of records) print(record);
    return;
  }
  const file = logFile(context.paths.log);
  let shown = 0;
  // First the place in the file, then the history: what comes in between is in both, and shown once.
  const begin = () => {
    for (const record of history(context, ticket, options)) {
      print(record);
      shown = Math.max(shown, record.id ?? 0);
    }
  };
  for await (const lines of followLines(file, context.signal, begin)) {
    for (const record of lines.flatMap((line) => asRecord(line) ?? [])) {
      if (ticket !== undefined && record.ticket !== ticket) continue;
      if (record.id === null || record.id > shown) print(record);
    }
  }
}

/** Events from the state; between them what only the log file has, because nobody might write to the state then. */
function history(
  { paths }: CommandContext,
  ticket: number | undefined,
  { since, lines }: LogOptions,
): LogRecord[] {
  if (lines !== undefined && lines < 0)
    throw refused("--lines must not be negative");
  const last =
    lines ?? (ticket === undefined && since === undefined ? 50 : undefined);
  const db = openDatabase(paths.database);
  const events = listEvents(db, {
    ...(ticket !== undefined && { ticket }),
    ...(since !== undefined && { since }),
    ...(last !== undefined && { last }),
  }).map(logRecord);
  db.close();
  const file = logFile(paths.log);
  const aside =
    ticket !== undefined
      ? []
      : [`${file}.1`, file]
          .flatMap((name) => lastLines(name))
          .flatMap((line) => asRecord(line) ?? [])
          .filter(({ id, at }) => id === null && at >= (since ?? ""));
  const all = [...events, ...aside].sort((a, b) =>
    a.at < b.at ? -1 : a.at > b.at ? 1 : (a.id ?? 0) - (b.id ?? 0),
  );
  return last === undefined ? all : all.slice(Math.max(0, all.length - last));
}

function asRecord(line: string): LogRecord | undefined {
  const parsed = parseLogLine(line) as Partial<LogRecord> | undefined;
  return typeof parsed?.at === "string" && typeof parsed.what === "string"
    ? (parsed as LogRecord)
    : undefined;
}

/** Prints one record: a line for people, with --json one of JSON. */
async function printer(
  context: CommandContext,
): Promise<(record: LogRecord) => void> {
  if (context.options.json === true)
    return (record) => process.stdout.write(`${JSON.stringify(record)}\n`);
  const colour = await colours();
  return (record) => {
    const { when, subject, what, tone, rest } = logText(record);
    process.stdout.write(
      `${colour.dim(when)}  ${subject}  ${colour[tone](what)}  ${rest}\n`,
    );
  };
}

async function colours(): Promise<
  Record<Tone | "dim", (text: string) => string>
> {
  const plain = (text: string) => text;
  if (!process.stdout.isTTY || (process.env["NO_COLOR"] ?? "") !== "")
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
