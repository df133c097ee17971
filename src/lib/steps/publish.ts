import { readFile } from "node:fs/promises";

import type { PublishedSource } from "../backends/archive/archive.ts";
import { parseDsc } from "../debian/dsc.ts";
import type { Ticket } from "../domain/ticket.ts";
import type {
  Done,
  StepBackends,
  StepDefinition,
  StepPlan,
  TicketSource,
} from "./step-definition.ts";
import { checkApprovals, checkBreaks } from "./approvals.ts";
import { ppaOf } from "./step-definition.ts";

/** Copies the ticket's source packages and their binaries from its PPA into the archive, as one new revision. */
export const publish: StepDefinition<StepPlan> = {
  plan: ({ ticket, sources }) =>
    Promise.resolve({
      ticket: ticket.id,
      command: "publish",
      actions: [
        ...sources.map(
          ({ source, version, binaries }) =>
            `copy ${source} ${version} and ${binaries.length} binary packages to the archive of ${ticket.series}`,
        ),
        "publish them as one new revision, and check it as a client",
      ],
    }),

  async execute(_plan, input, backends, work) {
    const { ticket, sources } = input;
    await checkApprovals(input, backends);
    work.progress({
      state: "STATUS",
      message: "publishing",
      current: null,
      total: null,
    });
    const started = performance.now();
    const archive = await backends.archive();
    const result = await archive.publish(
      { ppa: ppaOf(ticket), series: ticket.series },
      await Promise.all(sources.map(published)),
      ticket.id,
      work.signal,
      (outlook) => checkBreaks(input, backends, outlook),
    );
    const stages = { publish: performance.now() - started };
    if (result.outcome !== "passed")
      return {
        outcome: result.outcome,
        reason: result.reason,
        files: [],
        stages,
      };
    return { ...publishedAs(result.revision), stages };
  },

  async settle({ ticket }, backends) {
    const revision = await publishedRevision(ticket, backends);
    return revision === null ? null : publishedAs(revision);
  },
};

async function published({
  source,
  version,
  dsc,
}: TicketSource): Promise<PublishedSource> {
  const { builds } = parseDsc(await readFile(dsc), dsc);
  return { name: source, version, builds };
}

function publishedAs({ revision, created_at }: Published): Done {
  return {
    outcome: "passed",
    reason: `archive revision ${revision}`,
    files: [],
    published: { revision, created_at },
  };
}

type Published = NonNullable<Done["published"]>;

/**
 * The revision that published the ticket, or null; shows whether an interrupted publication succeeded.
 * Reverted revisions do not count.
 */
async function publishedRevision(
  ticket: Ticket,
  backends: StepBackends,
): Promise<Published | null> {
  const archive = await backends.archive();
  const current = (await archive.current()).publications[ticket.series] ?? [];
  const isThere = ticket.subtickets.every(({ source, version }) =>
    current.some(
      (one) =>
        one.kind === "source" && one.name === source && one.version === version,
    ),
  );
  if (!isThere) return null;
  const mine = await archive.revisionOfTicket(ticket.id);
  return mine === undefined
    ? null
    : { revision: mine.revision, created_at: mine.created_at };
}
