import { cancelledInWords } from "../../lib/domain/cancel.ts";
import { etaInWords, expectedInWords } from "../../lib/domain/expected.ts";
import {
  ignoredBecause,
  inForce,
  overrideInWords,
} from "../../lib/domain/override.ts";
import { showing } from "../../lib/domain/explain/explanation.ts";
import type { Advice } from "../../lib/domain/remedy.ts";
import { sizeInWords } from "../../lib/domain/size.ts";
import { textOfLines } from "../../lib/domain/shown-text.ts";
import type { Run, Ticket } from "../../lib/domain/ticket.ts";
import { publishedInWords } from "../../lib/domain/ticket.ts";
import { failedStep, queueStep } from "../../lib/domain/step.ts";
import { table } from "../../cli/columns.ts";
import { progressInWords } from "../../lib/domain/progress.ts";

/** Everything about one ticket, as text; `text` renders advice. */
export function ticketInFull(
  ticket: Ticket,
  text: (advice: Advice) => string,
): string {
  const lines = [
    `ticket ${ticket.id}: ${ticket.title}`,
    `  ${whereItIs(ticket)}${why(ticket)}`,
    `  owner ${ticket.owner}, series ${ticket.series}, priority ${ticket.priority}`,
  ];
  if (ticket.description !== "") lines.push(`  ${ticket.description}`);
  if (ticket.bug !== null) lines.push(`  bug ${ticket.bug}`);
  if (ticket.ppa !== null) lines.push(`  PPA ${ticket.ppa}`);
  if (ticket.queue_position !== null)
    lines.push(`  position ${ticket.queue_position} in the queue`);
  if (ticket.expected != null)
    lines.push(`  ${expectedInWords(ticket.expected, Date.now())}`);
  if (ticket.eta !== null) lines.push(`  ${etaInWords(ticket.eta)}`);
  const published = publishedInWords(ticket);
  if (published !== null) lines.push(`  published as ${published}`);
  if (ticket.failure !== null) {
    const { step, kind, reason, artifact } = ticket.failure;
    lines.push(
      `  failed at ${step.name}, ${kind === "package" ? "the package is at fault" : "infrastructure is to blame"}:`,
    );
    lines.push(`    ${reason}`);
    if (artifact !== null) lines.push(`    ${text(showing(ticket, artifact))}`);
  }
  if (ticket.cancelled !== null) {
    const asked = ticket.step.code === failedStep ? "" : "to be ";
    lines.push(
      `  ${asked}${cancelledInWords(ticket.cancelled)}, ${ticket.cancelled.at}`,
    );
  }
  if (ticket.resume_step !== null && ticket.step.code === queueStep)
    lines.push(`  goes on at ${ticket.resume_step.name}, once it has a PPA`);
  for (const override of inForce(ticket.overrides))
    lines.push(`  ${overrideInWords(override)}: ${ignoredBecause(override)}`);
  lines.push("", "source packages");
  for (const { source, version, status, binaries } of ticket.subtickets) {
    lines.push(
      `  ${source} ${version}: ${status}${binaries.length > 0 ? `, builds ${binaries.join(", ")}` : ""}`,
    );
  }
  if (ticket.runs.length > 0)
    lines.push("", "steps", ...indented(ticket.runs.map(runRow)));
  if (ticket.tests.length > 0) {
    const rows = ticket.tests.map(
      ({ package: name, name: test, result, seconds, detail }) => [
        `${name}/${test}`,
        result,
        `${seconds.toFixed(1)} s`,
        detail,
      ],
    );
    lines.push("", "tests", ...indented(rows));
  }
  if (ticket.artifacts.length > 0) {
    const rows = ticket.artifacts.map(({ name, type, size, expired_at }) => [
      name,
      type,
      sizeInWords(size),
      expired_at === null
        ? ""
        : `expired on ${expired_at.slice(0, 10)} by policy`,
    ]);
    lines.push("", "artifacts", ...indented(rows));
  }
  return textOfLines(lines);
}

/** Status and step; a cancelled ticket is at no step. */
function whereItIs({ status, step, resume_step }: Ticket): string {
  if (status !== "cancelled") return `${status}, ${step.name} (${step.code})`;
  return resume_step === null ? status : `${status} at ${resume_step.name}`;
}

function why(ticket: Ticket): string {
  if (ticket.progress !== null) return `: ${progressInWords(ticket.progress)}`;
  const due = ticket.retry_at === null ? "" : `, due ${ticket.retry_at}`;
  return ticket.waiting_for === null ? due : `: ${ticket.waiting_for}${due}`;
}

function runRow({
  step,
  attempt,
  outcome,
  started_at,
  finished_at,
  reason,
}: Run): string[] {
  const seconds =
    finished_at === null
      ? ""
      : `${((Date.parse(finished_at) - Date.parse(started_at)) / 1000).toFixed(1)} s`;
  return [
    step.name,
    attempt === 1 ? "" : `attempt ${attempt}`,
    outcome ?? "running",
    seconds,
    started_at,
    reason ?? "",
  ];
}

function indented(rows: readonly (readonly string[])[]): string[] {
  return table(rows)
    .split("\n")
    .map((line) => `  ${line}`);
}
