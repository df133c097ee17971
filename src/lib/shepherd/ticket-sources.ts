import { aptSource } from "../backends/archive/apt-source.ts";
import { explain } from "../domain/explain/explain.ts";
import { hasEnded, workStep } from "../domain/step.ts";
import type { TestedVersion } from "../domain/test-history.ts";
import type { FileRef, Ticket } from "../domain/ticket.ts";
import type { TicketSources } from "../report/report-input.ts";
import { publishedBefore } from "../state/report-rows.ts";
import { overridesOf, testsOf } from "../state/judged-tests.ts";
import type { StepBackends } from "../steps/step-definition.ts";
import type { LocalState } from "../tickets/local-state.ts";
import { situationOf } from "../tickets/situation.ts";
import { ticketDocument } from "../tickets/ticket-document.ts";
import { shownCommands, shownReasons } from "./report-needs.ts";

/** What the report asks of each ticket that it shows. */
export function ticketSources(
  state: LocalState,
  backends: Pick<StepBackends, "archive" | "pool">,
  pathOf: (at: FileRef) => string,
): TicketSources {
  const known = new Map<string, Promise<string>>();
  const once = (name: string, make: () => Promise<string>) => {
    const found = known.get(name) ?? make();
    known.set(name, found);
    return found;
  };
  const url = state.config.get("archive.url") ?? undefined;
  const ofArchive = (suite: string) =>
    once(suite, async () =>
      aptSource(await (await backends.archive()).repository(suite), url),
    );
  return {
    pathOf,
    documentOf: ticketDocument,
    explanationOf(ticket) {
      const situation = situationOf(state, ticket);
      const { because, next, commands } = explain(situation);
      const now = new Date(situation.nowMs).toISOString();
      return {
        because: shownReasons(because),
        next:
          next === null
            ? null
            : { action: next.action, at: next.at > now ? next.at : null },
        commands: shownCommands(commands),
      };
    },
    testedBefore({ id, tests }) {
      const tested = new Map<string, TestedVersion>();
      for (const source of new Set(tests.map((test) => test.package))) {
        const before = publishedBefore(state.db, source, id);
        if (before === null) continue;
        const then = testsOf(
          state.db,
          before.ticket,
          overridesOf(state.db, before.ticket),
        ).filter((test) => test.package === source);
        if (then.length > 0) tested.set(source, { ...before, tests: then });
      }
      return tested;
    },
    async aptSourcesOf(ticket) {
      const { series, ppa, archive_revision: revision } = ticket;
      if (revision !== null && ticket.undone_by === null) {
        return [{ of: "the archive", text: await ofArchive(series) }];
      }
      if (ppa === null || hasEnded(ticket.step.code) || !hasBuilt(ticket))
        return [];
      const pool = await backends.pool();
      const repository = await pool.repository(ppa, series);
      return [{ of: `PPA ${ppa}`, text: aptSource(repository) }];
    },
  };
}

/** Whether its PPA has packages. */
const hasBuilt = ({ runs }: Ticket) =>
  runs.some(
    ({ step, outcome }) =>
      workStep(step.code)?.makes === "packages" && outcome === "passed",
  );
