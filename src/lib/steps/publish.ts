import type { StepDefinition, StepPlan } from "./step-work.ts";

/** Copies source and binaries of the ticket into the archive, as one new revision. */
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

  async execute(_plan, { ticket, sources }, backends, work) {
    work.progress({
      state: "STATUS",
      message: "publishing",
      current: null,
      total: null,
    });
    const started = performance.now();
    const archive = await backends.archive();
    const result = await archive.publish({
      ticket: ticket.id,
      series: ticket.series,
      sources: sources.map(({ source, version, dsc }) => ({
        name: source,
        version,
        dsc,
      })),
      binaries: sources.flatMap(({ binaries }) => [...binaries]),
    });
    const stages = { publish: performance.now() - started };
    if (result.outcome !== "passed")
      return {
        outcome: result.outcome,
        reason: result.reason,
        files: [],
        stages,
      };
    const { revision, created_at } = result.revision;
    return {
      outcome: "passed",
      reason: `archive revision ${revision}`,
      files: [],
      published: { revision, created_at },
      stages,
    };
  },
};
