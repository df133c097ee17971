import { basename } from "node:path";

import { comesAfter, packagesStep, workStep } from "../domain/step.ts";
import type { StepDefinition, StepPlan } from "./step-definition.ts";
import { ppaOf } from "./step-definition.ts";

interface AssignPlan extends StepPlan {
  /** Paths of the packages to put into it. */
  readonly fill: readonly string[];
}

/**
 * Makes the PPA that the engine reserved ready: a signed repository of the ticket's series, empty, or
 * with what was built before when the ticket goes on at a later step.
 */
export const assignPpa: StepDefinition<AssignPlan> = {
  plan: ({ ticket, sources }) => {
    const resume = ticket.resume_step && workStep(ticket.resume_step.code);
    const fill =
      resume != null && comesAfter(resume.code, packagesStep)
        ? sources.flatMap(({ dsc, binaries }) => [dsc, ...binaries])
        : [];
    return Promise.resolve({
      ticket: ticket.id,
      command: "assign-ppa",
      actions: [
        ticket.ppa === null
          ? "reserve a PPA, when its turn has come and one is free"
          : `reserve ${ticket.ppa}`,
        `make it an empty signed repository for ${ticket.series}`,
        ...(fill.length > 0
          ? [
              `fill it again with ${fill.map((path) => basename(path)).join(", ")}`,
            ]
          : []),
      ],
      fill,
    });
  },
  async execute({ fill }, { ticket }, backends, work) {
    const ppa = ppaOf(ticket);
    work.progress({
      state: "STATUS",
      message: `preparing ${ppa}`,
      current: null,
      total: null,
    });
    const pool = await backends.pool();
    await pool.reset(ppa, ticket.series, work.signal);
    if (fill.length > 0) await pool.add(ppa, ticket.series, fill, work.signal);
    return { outcome: "passed", reason: ppa, files: [] };
  },
};
