import { binaryFile } from "../debian/package-file.ts";
import { ticketContainer } from "../backends/store/store.ts";
import { compareVersions } from "../debian/version.ts";
import type { Kept, RetryPlan } from "../domain/retry.ts";
import { planRetry } from "../domain/retry.ts";
import type { Step } from "../domain/step.ts";
import { failedStep } from "../domain/step.ts";
import type { Ticket } from "../domain/ticket.ts";
import { findLayer } from "../session/find-layer.ts";
import { archiveVersion, ticketInFlight } from "../state/publications.ts";
import { imageOf } from "../state/images.ts";
import { reopenTicket, retryNow } from "../state/retries.ts";
import { findTicket, getTicket } from "../state/tickets.ts";
import type { Engine } from "./engine.ts";

/**
 * Plans a retry of a ticket.
 *
 * @throws UbuntuCiError (2) saying why not, and what to do instead
 */
export async function planRetryOf(
  engine: Engine,
  id: number,
  from: Step | undefined,
): Promise<RetryPlan> {
  return planNow(engine, id, from, await keptOf(engine, id));
}

/**
 * Retries a failed or cancelled ticket, or makes a scheduled retry due now.
 *
 * @throws UbuntuCiError (2) saying why not, and what to do instead
 */
export async function retry(
  engine: Engine,
  id: number,
  from: Step | undefined,
): Promise<RetryPlan> {
  const { db, actor } = engine;
  const kept = await keptOf(engine, id);
  return db
    .transaction(() => {
      const plan = planNow(engine, id, from, kept);
      if (plan.resume === null) retryNow(db, id, actor);
      else reopenTicket(db, id, plan.resume, actor);
      return plan;
    })
    .immediate();
}

function planNow(
  { db }: Engine,
  id: number,
  from: Step | undefined,
  kept: Kept,
): RetryPlan {
  const ticket = getTicket(db, id);
  return planRetry(ticket, from, kept, obstaclesOf(db, ticket));
}

/** What now stands in the way: another ticket with the same version, or an archive that has moved on. */
function obstaclesOf(db: Engine["db"], ticket: Ticket): string[] {
  if (ticket.step.code !== failedStep) return [];
  return ticket.subtickets.flatMap(({ source, version }) => {
    const rival = ticketInFlight(db, source, version);
    const there = archiveVersion(db, ticket.series, source);
    return [
      ...(rival === null
        ? []
        : [`${source} ${version} is in flight as ticket ${rival}`]),
      ...(there === null || compareVersions(version, there) > 0
        ? []
        : [`the archive has ${source} ${there}`]),
    ];
  });
}

async function keptOf({ db, paths, store }: Engine, id: number): Promise<Kept> {
  const ticket = findTicket(db, id);
  const stored = new Set<string>();
  for await (const { name } of store.list(ticketContainer(id)))
    stored.add(name);
  const files = (ticket?.artifacts ?? []).filter(
    ({ expired_at }) => expired_at === null,
  );
  const there = (type: "SPU" | "RESULTS", ending: RegExp, source: number) => {
    const mine = files.filter(
      (file) =>
        file.type === type &&
        file.subticket === source &&
        ending.test(file.name),
    );
    return mine.length > 0 && mine.every(({ name }) => stored.has(name));
  };
  const sources = ticket?.subtickets ?? [];
  const image = imageOf(db, id);
  const layers = await Promise.all(
    (image?.layers ?? []).map((name) => findLayer(paths.layers, name)),
  );
  return {
    sources: sources.every((source) => there("SPU", /./, source.id)),
    results: sources.every((source) => there("RESULTS", binaryFile, source.id)),
    image: image !== null && layers.every((layer) => layer !== undefined),
  };
}
