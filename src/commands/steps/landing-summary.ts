import { join } from "node:path";

import { elapsedInWords } from "../../lib/domain/age.ts";
import {
  commandOf,
  completeStep,
  hasEnded,
  workStep,
} from "../../lib/domain/step.ts";
import type { Run, Ticket } from "../../lib/domain/ticket.ts";
import type { Engine, StepReport } from "../../lib/engine/engine.ts";
import { findTicket } from "../../lib/state/tickets.ts";

/** What became of each ticket that ended in a pass: its revision, how long each step took, and its page. */
export function landingSummary(
  { db, paths }: Pick<Engine, "db" | "paths">,
  reports: readonly StepReport[],
): string[] {
  return [...new Set(reports.map(({ ticket }) => ticket))].flatMap((id) => {
    const ticket = findTicket(db, id);
    if (ticket === undefined || !hasEnded(ticket.step.code)) return [];
    const revision =
      ticket.archive_revision === null
        ? ""
        : ` as archive revision ${ticket.archive_revision}`;
    const how =
      ticket.step.code === completeStep ? `landed${revision}` : ticket.status;
    const page = join(paths.report, "tickets", String(id), "index.html");
    return [
      `ticket ${id} ${how}: ${stepTimes(ticket)}`,
      `its page, with the next report: ${page}`,
    ];
  });
}

/** How long the last run of each step took, and all of them together. */
function stepTimes({ runs }: Ticket): string {
  const last = new Map<string, Run>();
  for (const run of runs) {
    const step = workStep(run.step.code);
    if (step !== undefined) last.set(commandOf(step.code), run);
  }
  const took = [...last].map(([name, { started_at, finished_at }]) => {
    const end = finished_at === null ? NaN : Date.parse(finished_at);
    return { name, ms: end - Date.parse(started_at) };
  });
  const known = took.filter(({ ms }) => !Number.isNaN(ms));
  const all = known.reduce((sum, { ms }) => sum + ms, 0);
  return [
    ...known.map(({ name, ms }) => `${name} ${elapsedInWords(ms)}`),
    `${elapsedInWords(all)} in all`,
  ].join(", ");
}
