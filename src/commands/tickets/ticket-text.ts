import { elapsedInWords, withoutMilliseconds } from "../../lib/domain/age.ts";
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
import { table, wrapped } from "../../cli/columns.ts";
import { progressInWords } from "../../lib/domain/progress.ts";

/**
 * Everything about one ticket, as text; `text` renders advice.
 *
 * @param width columns that a line should have at most
 */
export function ticketInFull(
  ticket: Ticket,
  text: (advice: Advice) => string,
  width = Infinity,
): string {
  const inLines = (line: string) =>
    wrapped(withoutMilliseconds(textOfLines([line])), width, "    ");
  const lines = [
    ...inLines(`ticket ${ticket.id}: ${ticket.title}`),
    ...inLines(`  ${whereItIs(ticket)}${why(ticket)}`),
    ...inLines(
      `  owner ${ticket.owner}, series ${ticket.series}, priority ${ticket.priority}`,
    ),
  ];
  if (ticket.description !== "")
    lines.push(...inLines(`  ${ticket.description}`));
  if (ticket.bug !== null) lines.push(`  bug ${ticket.bug}`);
  if (ticket.ppa !== null) lines.push(`  PPA ${ticket.ppa}`);
  if (ticket.queue_position !== null)
    lines.push(`  position ${ticket.queue_position} in the queue`);
  if (ticket.expected != null)
    lines.push(...inLines(`  ${expectedInWords(ticket.expected, Date.now())}`));
  if (ticket.eta !== null) lines.push(`  ${etaInWords(ticket.eta)}`);
  const published = publishedInWords(ticket);
  if (published !== null) lines.push(`  published as ${published}`);
  if (ticket.failure !== null) {
    const { step, kind, reason, artifact } = ticket.failure;
    lines.push(
      `  failed at ${step.name}, ${kind === "package" ? "the package is at fault" : "infrastructure is to blame"}:`,
    );
    lines.push(...inLines(`    ${reason}`));
    if (artifact !== null) lines.push(`    ${text(showing(ticket, artifact))}`);
  }
  if (ticket.cancelled !== null) {
    const asked = ticket.step.code === failedStep ? "" : "to be ";
    lines.push(
      ...inLines(
        `  ${asked}${cancelledInWords(ticket.cancelled)}, ${ticket.cancelled.at}`,
      ),
    );
  }
  if (ticket.resume_step !== null && ticket.step.code === queueStep)
    lines.push(`  goes on at ${ticket.resume_step.name}, once it has a PPA`);
  for (const override of inForce(ticket.overrides))
    lines.push(
      ...inLines(`  ${overrideInWords(override)}: ${ignoredBecause(override)}`),
    );
  lines.push("", "source packages");
  for (const { source, version, status, binaries } of ticket.subtickets) {
    lines.push(
      ...inLines(
        `  ${source} ${version}: ${status}${binaries.length > 0 ? `, builds ${binaries.join(", ")}` : ""}`,
      ),
    );
  }
  if (ticket.runs.length > 0)
    lines.push("", "steps", ...indented(ticket.runs.map(runRow), width));
  if (ticket.tests.length > 0) {
    const rows = ticket.tests.map(
      ({ package: name, name: test, result, seconds, detail }) => [
        `${name}/${test}`,
        result,
        elapsedInWords(seconds * 1000),
        detail,
      ],
    );
    lines.push("", "tests", ...indented(rows, width));
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
    lines.push("", "artifacts", ...indented(rows, width));
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
  const end = finished_at === null ? Date.now() : Date.parse(finished_at);
  return [
    step.name,
    attempt === 1 ? "" : `attempt ${attempt}`,
    outcome ?? "running",
    elapsedInWords(end - Date.parse(started_at)),
    withoutMilliseconds(started_at),
    reason ?? "",
  ];
}

function indented(
  rows: readonly (readonly string[])[],
  width: number,
): string[] {
  return table(rows, width - 2)
    .split("\n")
    .map((line) => `  ${line}`);
}
