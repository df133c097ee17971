import { stepCommands } from "../domain/step.ts";
export { ageInWords } from "../domain/age.ts";
import type { Artifact, Ticket } from "../domain/ticket.ts";

/** A point in time: what a page shows, and the exact moment behind it. */
export interface Moment {
  readonly text: string;
  readonly iso: string;
}

/** One step of a ticket's way, with every attempt at it. */
export interface TimelineStep {
  readonly code: number;
  readonly name: string;
  readonly state: "passed" | "failed" | "running" | "waiting" | "not reached";
  readonly attempts: readonly {
    readonly attempt: number;
    readonly outcome: string;
    readonly duration: string;
    readonly started: Moment;
    readonly reason: string;
  }[];
}

/** Open tickets first, each group newest first. */
export function inOrder(tickets: readonly Ticket[]): {
  open: Ticket[];
  ended: Ticket[];
} {
  const newest = [...tickets].sort((a, b) => b.id - a.id);
  return {
    open: newest.filter(({ step }) => step.code < 999),
    ended: newest.filter(({ step }) => step.code >= 999),
  };
}

/** A moment as people say it, by UTC. */
export function moment(iso: string): Moment {
  return { iso, text: `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC` };
}

/** When maintenance held the first command back, or null. */
export function heldBackSince(
  held: readonly { readonly first: string }[],
): Moment | null {
  const [first] = held.map((entry) => entry.first).sort();
  return first === undefined ? null : moment(first);
}

/** A duration in milliseconds, in two units at most. */
export function duration(ms: number): string {
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A size in bytes, in the powers of 1000. */
export function fileSize(bytes: number): string {
  for (const [unit, size] of [
    ["GB", 1e9],
    ["MB", 1e6],
    ["kB", 1e3],
  ] as const) {
    if (bytes >= size) return `${(bytes / size).toFixed(1)} ${unit}`;
  }
  return `${bytes} B`;
}

/** The steps of a ticket in their order, and how far it came. */
export function timeline(ticket: Ticket): TimelineStep[] {
  return stepCommands.map(({ code, command }) => {
    const runs = ticket.runs.filter(({ step }) => step.code === code);
    const last = runs.at(-1);
    const state =
      last?.outcome === "passed"
        ? "passed"
        : ticket.failure?.step.code === code
          ? "failed"
          : last !== undefined && last.outcome === null
            ? "running"
            : ticket.step.code === code
              ? "waiting"
              : "not reached";
    return {
      code,
      name: command,
      state,
      attempts: runs.map((run) => ({
        attempt: run.attempt,
        outcome: run.outcome ?? "running",
        duration:
          run.finished_at === null
            ? ""
            : duration(
                Date.parse(run.finished_at) - Date.parse(run.started_at),
              ),
        started: moment(run.started_at),
        reason: run.reason ?? "",
      })),
    };
  });
}

/** One line about where a ticket is. */
export function whereabouts(ticket: Ticket): string {
  if (ticket.progress !== null) {
    const { message, current, total } = ticket.progress;
    return current !== null && total !== null
      ? `${message} (${current}/${total})`
      : message;
  }
  if (ticket.failure !== null) return ticket.failure.reason;
  if (ticket.waiting_for !== null) return ticket.waiting_for;
  if (ticket.queue_position !== null)
    return `position ${ticket.queue_position} in the queue`;
  if (ticket.archive_revision !== null)
    return `archive revision ${ticket.archive_revision}`;
  return "";
}

/** A bug's address, only when it is one that may be linked: escaping does not stop `javascript:`. */
export function bugLink(ticket: Ticket): string | null {
  return ticket.bug !== null && /^https?:\/\//.test(ticket.bug)
    ? ticket.bug
    : null;
}

/** Artifacts that lie beside the page. Images are large and fetched with get_image instead; some have expired. */
export function shownArtifacts(ticket: Ticket): Artifact[] {
  return ticket.artifacts.filter(
    ({ type, expired_at }) => type !== "IMAGE" && expired_at === null,
  );
}

/** Every source package there were tickets for, with those tickets, newest first. */
export function packageHistory(
  tickets: readonly Ticket[],
): Map<string, { ticket: Ticket; version: string }[]> {
  const history = new Map<string, { ticket: Ticket; version: string }[]>();
  for (const ticket of [...tickets].sort((a, b) => b.id - a.id)) {
    for (const { source, version } of ticket.subtickets) {
      history.set(source, [
        ...(history.get(source) ?? []),
        { ticket, version },
      ]);
    }
  }
  return new Map([...history].sort(([a], [b]) => a.localeCompare(b)));
}
