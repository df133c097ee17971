import { elapsedInWords } from "../../lib/domain/age.ts";
import { countFirst } from "../../lib/domain/progress.ts";
import { oneLine, outputLine } from "../../lib/domain/shown-text.ts";
import type { StepCode } from "../../lib/domain/step.ts";
import { stepCommands } from "../../lib/domain/step.ts";
import type { Progress, Ticket } from "../../lib/domain/ticket.ts";
import type { RunListener, StepReport } from "../../lib/engine/engine.ts";
import type { LandReport } from "../../lib/engine/land.ts";
import { terminalWidth } from "../../lib/host/output.ts";
import { followLog, isGood } from "./run-text.ts";

/** A line of live progress, as listr2 draws it: its title, and below it the last line of the log. */
interface Row {
  title: string;
  output: string;
}

/** A run that is shown. */
interface Shown {
  /** Undefined until listr2 has begun to draw it. */
  row?: Row;
  readonly head: string;
  doing: string;
  readonly since: number;
  end: (failed?: string) => void;
}

/** How often the elapsed time is drawn anew. */
const tickMs = 1000;

/**
 * Lands with live progress, one line a run: `[2/5] build-source hello 2.10 · compiling · 3m12s`, and below
 * it the last line of its log. One ticket's runs are drawn one below the other; where several tickets land
 * side by side, each place has a line that shows one run after another.
 */
export async function landLive(
  run: (listener: RunListener) => Promise<LandReport>,
  places: number,
  lastStep: StepCode,
): Promise<LandReport> {
  const rows = places > 1 ? await inPlaces(places) : await below();
  const shown = new Map<number, Shown>();
  const draw = (one: Shown) => {
    if (one.row === undefined) return;
    const took = elapsedInWords(performance.now() - one.since);
    const words = [one.head, one.doing, took].filter((word) => word !== "");
    one.row.title = fitting(words.join(" · "));
  };
  const tick = setInterval(() => {
    for (const one of shown.values()) draw(one);
  }, tickMs);
  const note = (ticket: number, line: string) => {
    const row = shown.get(ticket)?.row;
    if (row !== undefined) row.output = fitting(outputLine(line));
  };
  try {
    return await run({
      started(ticket, command) {
        const one: Shown = {
          head: headOf(ticket, command),
          doing: "",
          since: performance.now(),
          end: () => undefined,
        };
        shown.set(ticket.id, one);
        rows.begin(one);
        draw(one);
      },
      progress(ticket, progress: Progress) {
        const one = shown.get(ticket);
        if (one === undefined) return;
        one.doing = oneLine(countFirst(progress));
        draw(one);
      },
      note,
      follow: (ticket: number, logFile: string) =>
        followLog(logFile, (line) => {
          if (line.trim() !== "") note(ticket, line);
        }),
      ended(report) {
        const one = shown.get(report.ticket);
        if (one === undefined) return;
        one.doing = endOf(report);
        draw(one);
        shown.delete(report.ticket);
        one.end(isGood(report) ? undefined : endOf(report));
        if (report.step === lastStep || report.outcome !== "passed")
          rows.free(one);
      },
    });
  } finally {
    clearInterval(tick);
    for (const one of shown.values()) one.end("stopped");
    await rows.finish();
  }
}

function headOf(ticket: Ticket, command: string): string {
  const number = stepCommands.findIndex((step) => step.command === command) + 1;
  const [first, ...others] = ticket.subtickets;
  const source = first === undefined ? "" : ` ${first.source} ${first.version}`;
  const more = others.length === 0 ? "" : ` and ${others.length} more`;
  return oneLine(
    `ticket ${ticket.id} [${number}/${stepCommands.length}] ${command}${source}${more}`,
  );
}

function endOf({ outcome, reason, cancelled, waiting }: StepReport): string {
  const how = cancelled
    ? "cancelled"
    : waiting && outcome !== "pending"
      ? "waits"
      : outcome;
  return oneLine(reason === null ? how : `${how}: ${reason}`);
}

/** A line that does not wrap: what listr2 draws over must be as long as it counts. */
function fitting(line: string): string {
  const room = (terminalWidth("stdout") ?? 80) - 8;
  return line.length <= room ? line : `${line.slice(0, room - 1)}…`;
}

/** Where runs are drawn. */
interface Rows {
  begin(shown: Shown): void;
  /** Its ticket has ended, or goes on later. */
  free(shown: Shown): void;
  finish(): Promise<void>;
}

/** One list of listr2 per run, in sequence: the next step is only known once the last has ended. */
async function below(): Promise<Rows> {
  const { Listr } = await import("listr2");
  let drawn: Promise<unknown> = Promise.resolve();
  return {
    begin(shown) {
      const ended = new Promise<string | undefined>(
        (done) => (shown.end = done),
      );
      const task = {
        title: shown.head,
        task: async (_context: unknown, row: Row) => {
          shown.row = row;
          const failed = await ended;
          if (failed !== undefined) throw new Error(row.title);
        },
      };
      const options = { exitOnError: false, registerSignalListeners: false };
      drawn = drawn.then(() => new Listr([task], options).run());
    },
    free: () => undefined,
    finish: async () => void (await drawn),
  };
}

/** One list of listr2 with a line for each ticket that may be in flight; a failure leaves its mark there. */
async function inPlaces(places: number): Promise<Rows> {
  const { Listr } = await import("listr2");
  const free: Row[] = [];
  const failed = new Map<Row, string>();
  const taken = new Map<string, Row>();
  let finish: () => void = () => undefined;
  const finished = new Promise<void>((done) => (finish = done));
  const drawn = new Listr(
    Array.from({ length: places }, () => ({
      title: "no ticket",
      task: async (_context: unknown, row: Row) => {
        free.push(row);
        await finished;
        const why = failed.get(row);
        if (why !== undefined) throw new Error(why);
      },
    })),
    { concurrent: true, exitOnError: false, registerSignalListeners: false },
  ).run();
  const ticketOf = ({ head }: Shown) => head.split(" [", 1)[0] ?? "";
  return {
    begin(shown) {
      const row = taken.get(ticketOf(shown)) ?? free.shift();
      if (row === undefined) return;
      taken.set(ticketOf(shown), row);
      failed.delete(row);
      shown.row = row;
      shown.end = (why) => {
        row.output = "";
        if (why !== undefined) failed.set(row, row.title);
      };
    },
    free(shown) {
      const row = taken.get(ticketOf(shown));
      taken.delete(ticketOf(shown));
      if (row !== undefined) free.push(row);
    },
    async finish() {
      finish();
      await drawn;
    },
  };
}
