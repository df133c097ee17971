import type { LogRecord } from "../domain/log-record.ts";
import { followLines } from "../files/follow-file.ts";
import {
  lastLinesOfFile,
  stateLogFile,
  parseLogLine,
} from "../host/log-file.ts";
import { listEvents, logRecord } from "../state/events.ts";
import type { LocalState } from "./local-state.ts";
import type { HistoryRequest } from "./ticket-system.ts";

/**
 * What happened, oldest first: events from the state, merged with lines that only the log file has,
 * from times when the state must not be written to.
 */
export function readHistory(
  { db, paths }: LocalState,
  { ticket, since, last }: HistoryRequest,
): LogRecord[] {
  const events = listEvents(db, {
    ...(ticket !== undefined && { ticket }),
    ...(since !== undefined && { since }),
    ...(last !== undefined && { last }),
  }).map(logRecord);
  const file = stateLogFile(paths.log);
  const aside =
    ticket !== undefined
      ? []
      : [`${file}.1`, file]
          .flatMap((name) => lastLinesOfFile(name))
          // The others are in the state: most lines need not be parsed.
          .filter((line) => line.includes('"id":null'))
          .flatMap((line) => asRecord(line) ?? [])
          .filter(({ id, at }) => id === null && at >= (since ?? ""));
  const all = [...events, ...aside].sort((a, b) =>
    a.at < b.at ? -1 : a.at > b.at ? 1 : (a.id ?? 0) - (b.id ?? 0),
  );
  return last === undefined ? all : all.slice(Math.max(0, all.length - last));
}

/** The same, and what is added to the log from then on, until the signal fires. */
export async function* followHistory(
  state: LocalState,
  request: HistoryRequest,
  signal: AbortSignal,
): AsyncGenerator<LogRecord> {
  let shown: number | undefined;
  for await (const lines of followLines(
    stateLogFile(state.paths.log),
    signal,
  )) {
    // Events recorded after the file was opened and before the history was read are in both: shown once.
    if (shown === undefined) {
      const before = readHistory(state, request);
      shown = Math.max(0, ...before.map(({ id }) => id ?? 0));
      yield* before;
    }
    for (const record of lines.flatMap((line) => asRecord(line) ?? [])) {
      if (request.ticket !== undefined && record.ticket !== request.ticket)
        continue;
      if (record.id === null || record.id > shown) yield record;
    }
  }
}

function asRecord(line: string): LogRecord | undefined {
  const parsed = parseLogLine(line) as Partial<LogRecord> | undefined;
  return typeof parsed?.at === "string" && typeof parsed.what === "string"
    ? (parsed as LogRecord)
    : undefined;
}
