import { basename } from "node:path";

import type { ImageResult } from "../backends/imager/imager.ts";
import { verdictOnWork } from "../domain/policy-verdict.ts";
import type {
  StepDefinition,
  StepFile,
  StepInput,
  StepPlan,
} from "./step-definition.ts";
import { findingOf, judgedOf, ppaOf } from "./step-definition.ts";

interface ImagePlan extends StepPlan {
  readonly add: readonly string[];
  readonly remove: readonly string[];
}

/** Makes the system image that holds the ticket's packages. */
export const buildImage: StepDefinition<ImagePlan> = {
  plan(input) {
    const { ticket } = input;
    const add = packagesToAdd(input);
    return Promise.resolve({
      ticket: ticket.id,
      command: "build-image",
      add,
      remove: ticket.remove,
      actions: [
        `open a session over ${ticket.base_image ?? `the base of ${ticket.series}`}`,
        `install ${add.join(", ") || "nothing"} from ${ticket.ppa ?? "the PPA"}`,
        ...(ticket.remove.length > 0
          ? [`remove ${ticket.remove.join(", ")}`]
          : []),
        "export the image with its manifest",
      ],
    });
  },

  async execute(plan, input, backends, work) {
    const { ticket, policy } = input;
    const pool = await backends.pool();
    const archive = await backends.archive();
    const repositories = [
      await pool.repository(ppaOf(ticket), ticket.series),
      await archive.repository(ticket.series),
    ];
    const imager = await backends.imager();
    const result = await imager.buildImage(
      {
        ticket: ticket.id,
        series: ticket.series,
        baseImage: ticket.base_image,
        add: plan.add,
        remove: plan.remove,
        // What a ticket names has to be there; of all that it builds, as much as can be.
        leaveOutConflicts: ticket.add.length === 0,
        repositories,
        types: ["rootfs"],
      },
      work,
    );
    const files = result.files.map((file): StepFile => ({
      ...file,
      type: file.name.endsWith(".json") ? "RESULTS" : "IMAGE",
      subticket: null,
    }));
    if (result.log !== null)
      files.push({ ...result.log, type: "LOGS", subticket: null });
    const reason = result.reason ?? "there is no image";
    const finding = findingOf("image", "", input, { ...result, reason });
    const { outcome, overruled } = verdictOnWork(
      policy,
      judgedOf(input),
      finding,
      ticket.overrides,
    );
    return {
      outcome,
      reason: overruled ?? result.reason ?? leftOutOf(result),
      evidence: result.log?.name ?? null,
      findings: [finding],
      files,
      base: result.base,
      stages: result.stages,
      ...(result.image !== null && { image: result.image }),
    };
  },
};

/** What was left out of an image, for people; null when nothing was. */
function leftOutOf({ leftOut = [] }: ImageResult): string | null {
  if (leftOut.length === 0) return null;
  const each = leftOut.map(
    (one) => `${one.package} (conflicts with ${one.because})`,
  );
  return `left out of the image: ${each.join(", ")}`;
}

/** What the ticket names, else every binary package its sources build, debug symbols and udebs aside. */
function packagesToAdd({ ticket, sources }: StepInput): string[] {
  if (ticket.add.length > 0) return [...ticket.add];
  const names = sources
    .flatMap(({ binaries }) => binaries)
    .filter((path) => path.endsWith(".deb"))
    .map((path) => basename(path).split("_", 1)[0] ?? "")
    .filter(
      (name) => !name.endsWith("-dbgsym") && !ticket.remove.includes(name),
    );
  return [...new Set(names)].sort();
}
