import { commandOf } from "../domain/step.ts";
import type { WorkStepCode } from "../domain/step.ts";
import type { Ticket } from "../domain/ticket.ts";
import { passedOver } from "../domain/override.ts";
import { machineArchitecture } from "../host/architecture.ts";
import { imageOf } from "../state/images.ts";
import { jobOf } from "../state/open-jobs.ts";
import { assignPpa } from "../steps/assign-ppa.ts";
import { buildImage } from "../steps/build-image.ts";
import { buildSource } from "../steps/build-source.ts";
import { publish } from "../steps/publish.ts";
import { runTests } from "../steps/run-tests.ts";
import type {
  StepDefinition,
  StepInput,
  StepPlan,
} from "../steps/step-definition.ts";
import type { Engine } from "./engine.ts";

/** What each step plans and does. */
export const definitions: {
  readonly [Code in WorkStepCode]: StepDefinition<StepPlan>;
} = {
  100: assignPpa,
  200: buildSource,
  300: buildImage,
  400: runTests,
  500: publish,
};

/** All that a step is told of its ticket. */
export function stepInput({ db, config }: Engine, ticket: Ticket): StepInput {
  const job = jobOf(db, ticket.id);
  const image = imageOf(db, ticket.id);
  return {
    ticket,
    job: job?.step === ticket.step.code ? job : null,
    config,
    architecture: machineArchitecture(),
    sources: ticket.subtickets.map(({ id, source, version }) => {
      const mine = ticket.artifacts.filter(
        ({ subticket, expired_at }) => subticket === id && expired_at === null,
      );
      const dsc = mine.find(
        ({ type, name }) => type === "SPU" && name.endsWith(".dsc"),
      );
      if (dsc === undefined)
        throw new RangeError(`ticket ${ticket.id} has no .dsc of ${source}`);
      const binaries = mine.filter(
        ({ type, name }) =>
          type === "RESULTS" && /\.(?:deb|udeb|ddeb)$/.test(name),
      );
      return {
        subticket: id,
        source,
        version,
        dsc: dsc.path,
        binaries: binaries.map(({ path }) => path),
      };
    }),
    image:
      image === null
        ? null
        : {
            layers: image.layers,
            digest: image.digest,
            manifest: JSON.parse(image.manifest) as [],
          },
  };
}

/** What a step is going to do, or that it has been handed over, or that an override lets it be passed over. */
export async function planFor(
  step: WorkStepCode,
  input: StepInput,
): Promise<StepPlan> {
  const over = passOver(step, input);
  const { job, ticket } = input;
  if (over === null && job === null) return definitions[step].plan(input);
  return {
    ticket: ticket.id,
    command: commandOf(step),
    actions: [
      over === null
        ? `look at ${job?.id == null ? "what was handed" : `job ${job.id}, which was handed`} to ${job?.remote ?? ""}`
        : `pass over it: ${over}`,
    ],
  };
}

/** Why a step is passed over, or null. */
export function passOver(
  step: WorkStepCode,
  { ticket, image, architecture }: StepInput,
): string | null {
  return passedOver(ticket.overrides, step, {
    image: image !== null,
    architecture,
  });
}
