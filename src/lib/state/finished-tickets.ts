import type { FinishedTicket, OnItsWay } from "../domain/expected.ts";
import type { StepCode, WorkStepCode } from "../domain/step.ts";
import { completeStep, publishStep, stepCommands } from "../domain/step.ts";
import type { Connection } from "./database.ts";
import { firstColumn } from "./database.ts";
import { openCondition, queuedCondition, sourcesOf } from "./queue.ts";

/** How many landed tickets are considered: the newest overall, and the newest of each source package. */
const newest = 50;
const newestAlike = 20;
/** How many uploads of a package are considered, in case it never lands. */
const newestUploads = 100;

/** The newest landed tickets, overall and of these source packages. */
export function recentlyFinished(
  db: Connection,
  sources: readonly string[],
): FinishedTicket[] {
  const tickets = new Set(
    firstColumn<number>(
      db,
      `SELECT ticket FROM run WHERE step = ${publishStep} AND finished_at IS NOT NULL AND outcome = 'passed'
         ORDER BY id DESC LIMIT ?`,
      newest,
    ),
  );
  const alike = db.prepare<[string, number, number], { id: number }>(
    `SELECT ticket.id FROM
       (SELECT id FROM source_package_upload WHERE source_package = (SELECT id FROM source_package WHERE name = ?)
        ORDER BY id DESC LIMIT ?) upload
       JOIN subticket ON subticket.upload = upload.id JOIN ticket ON ticket.id = subticket.ticket
     WHERE ticket.step = ${completeStep} ORDER BY upload.id DESC LIMIT ?`,
  );
  for (const source of new Set(sources))
    for (const { id } of alike.all(source, newestUploads, newestAlike))
      tickets.add(id);
  return landingsOf(db, [...tickets]);
}

function landingsOf(
  db: Connection,
  tickets: readonly number[],
): FinishedTicket[] {
  const rows = db
    .prepare<
      [string],
      {
        ticket: number;
        step: WorkStepCode;
        began: string;
        ended: string;
        sources: string;
      }
    >(
      // After a retry, only the last run of each step counts.
      `SELECT run.ticket, run.step, max(run.started_at) AS began, max(run.finished_at) AS ended, ${sourcesOf} AS sources
       FROM json_each(?) wanted JOIN ticket ON ticket.id = wanted.value JOIN run ON run.ticket = ticket.id
       WHERE run.outcome = 'passed' GROUP BY run.ticket, run.step ORDER BY run.ticket, run.step`,
    )
    .all(JSON.stringify(tickets));
  return tickets.flatMap((id) => {
    const steps = rows.filter(({ ticket }) => ticket === id);
    const began = new Map(
      steps.map(({ step, began: at }) => [step, Date.parse(at)] as const),
    );
    const last = steps.at(-1);
    const inOrder = [...began.values()].every(
      (at, index, all) => index === 0 || at >= (all[index - 1] ?? 0),
    );
    return last?.step !== publishStep ||
      began.size < stepCommands.length ||
      !inOrder
      ? []
      : [
          {
            sources: JSON.parse(last.sources) as string[],
            began,
            ended: Date.parse(last.ended),
          },
        ];
  });
}

/** The open tickets that are not held: those in flight, and the queue in its order. */
export function ticketsOnTheirWay(db: Connection): {
  inFlight: OnItsWay[];
  queue: OnItsWay[];
} {
  const all = db
    .prepare<
      [],
      {
        id: number;
        step: StepCode;
        sources: string;
        since: string | null;
        retry_at: string | null;
        queued: 0 | 1;
      }
    >(
      // A pending ticket counts as running.
      `SELECT id, step, iif(job IS NULL, retry_at, NULL) AS retry_at, sources, coalesce(started_at, job) AS since, queued FROM
         (SELECT *, ${sourcesOf} AS sources, ${queuedCondition} AS queued,
            (SELECT started_at FROM run WHERE run.ticket = ticket.id AND finished_at IS NULL) AS started_at,
            (SELECT began_at FROM job WHERE job.ticket = ticket.id AND unwanted = 0 AND look_at IS NOT NULL) AS job
          FROM ticket WHERE ${openCondition} AND status <> 'held') ORDER BY priority DESC, id`,
    )
    .all()
    .map(({ since, retry_at, sources, ...row }) => ({
      ...row,
      sources: JSON.parse(sources) as string[],
      since: since === null ? null : Date.parse(since),
      retryAt: retry_at === null ? null : Date.parse(retry_at),
    }));
  return {
    inFlight: all.filter(({ queued }) => queued === 0),
    queue: all.filter(({ queued }) => queued === 1),
  };
}
