import type { StepDefinition, StepPlan } from "./step-work.ts";
import { ppaOf } from "./step-work.ts";

/** Makes the PPA that the engine reserved ready: an empty signed repository of the ticket's series. */
export const assignPpa: StepDefinition<StepPlan> = {
  plan: ({ ticket }) =>
    Promise.resolve({
      ticket: ticket.id,
      command: "assign-ppa",
      actions: [
        ticket.ppa === null
          ? "reserve a free PPA of the pool"
          : `keep ${ticket.ppa}`,
        `make it an empty signed repository for ${ticket.series}`,
      ],
    }),
  async execute(_plan, { ticket }, backends, work) {
    const ppa = ppaOf(ticket);
    work.progress({
      state: "STATUS",
      message: `preparing ${ppa}`,
      current: null,
      total: null,
    });
    await (await backends.archive()).resetPpa(ppa, ticket.series);
    return { outcome: "passed", reason: ppa, files: [] };
  },
};
