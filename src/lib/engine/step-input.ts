import { statSync } from "node:fs";
import { join } from "node:path";

import { thereIn } from "../debian/package-index.ts";
import { binaryFile } from "../debian/package-file.ts";
import type { Store } from "../backends/store/store.ts";
import { isLocal } from "../backends/store/store.ts";
import { needsRepair } from "../domain/error.ts";
import { remedy } from "../domain/remedy.ts";
import { filesMissing } from "../domain/retry.ts";
import {
  comesAfter,
  commandOf,
  imageStep,
  packagesStep,
  queueStep,
  workAt,
  workStep,
} from "../domain/step.ts";
import type { WorkStepCode } from "../domain/step.ts";
import type { Artifact, Ticket } from "../domain/ticket.ts";
import type { Finding } from "../domain/policy.ts";
import { isImageNeeded, requirements } from "../domain/policy.ts";
import { stepOfRequirement } from "../domain/recorded-decision.ts";
import { passedOver } from "../domain/override.ts";
import { machineArchitecture } from "../host/architecture.ts";
import { imageOf } from "../state/images.ts";
import { policyInForce } from "../state/policies.ts";
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
  TicketSource,
} from "../steps/step-definition.ts";
import { judgedOf } from "../steps/step-definition.ts";
import { findLayer } from "../session/find-layer.ts";
import type { Engine } from "./engine.ts";

export const definitions: {
  readonly [Code in WorkStepCode]: StepDefinition<StepPlan>;
} = {
  100: assignPpa,
  200: buildSource,
  300: buildImage,
  400: runTests,
  500: publish,
};

/**
 * Gathers everything that a step is told about its ticket.
 *
 * @param folder where to copy stored files; called only when the store has no local paths
 */
export async function stepInput(
  { db, config, paths, store, backends }: Engine,
  ticket: Ticket,
  folder: () => string,
): Promise<StepInput> {
  checkStored(store, ticket);
  const job = jobOf(db, ticket.id);
  const image = imageOf(db, ticket.id);
  await checkImage(paths.layers, ticket, image);
  await checkPpa(backends, ticket);
  const sources: TicketSource[] = [];
  for (const { id, source, version } of ticket.subtickets) {
    const mine = ticket.artifacts.filter(
      ({ subticket, expired_at }) => subticket === id && expired_at === null,
    );
    const upload = await readable(
      store,
      mine.filter(({ type }) => type === "SPU"),
      folder,
    );
    const dsc = upload.find((path) => path.endsWith(".dsc"));
    if (dsc === undefined)
      throw new RangeError(`ticket ${ticket.id} has no .dsc of ${source}`);
    const binaries = await readable(
      store,
      mine.filter(
        ({ type, name }) => type === "RESULTS" && binaryFile.test(name),
      ),
      folder,
    );
    sources.push({ subticket: id, source, version, dsc, binaries });
  }
  return {
    ticket,
    job: job?.step === ticket.step.code ? job : null,
    config,
    policy: policyInForce(db).policy,
    architecture: machineArchitecture(),
    lookUp: async (names) => {
      const { availablePackages } =
        await import("../backends/available-packages.ts");
      const archive = await backends.archive();
      return thereIn(
        (await availablePackages(paths, archive, ticket.series, names)).found,
      );
    },
    sources,
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

/** @throws UbuntuCiError (78) when a layer of the image that the step needs is gone */
async function checkImage(
  layers: string,
  { id, step }: Ticket,
  image: { readonly layers: readonly string[] } | null,
): Promise<void> {
  if (image === null || workStep(step.code)?.needsImage !== true) return;
  for (const name of image.layers)
    if ((await findLayer(layers, name)) === undefined)
      throw needsRepair(
        `layer ${name} of the image of ticket ${id} is gone, or damaged`,
        remedy("retry", [id], { from: commandOf(imageStep) }),
      );
}

/** @throws UbuntuCiError (78) when the PPA that the step takes packages from is gone */
async function checkPpa(
  backends: Engine["backends"],
  { id, ppa, step, cancelled }: Ticket,
): Promise<void> {
  const at = workStep(step.code)?.code ?? queueStep;
  if (ppa === null || cancelled !== null || !comesAfter(at, packagesStep))
    return;
  if (await (await backends.pool()).has(ppa)) return;
  throw needsRepair(
    `${ppa}, the PPA of ticket ${id}, is gone or damaged`,
    remedy("retry", [id]),
  );
}

/** @throws UbuntuCiError (78) when a local store has lost files that steps of the ticket still need */
function checkStored(store: Store, ticket: Ticket): void {
  if (!isLocal(store)) return;
  const lost = ticket.artifacts.filter(
    (file) =>
      file.expired_at === null &&
      (file.type === "SPU" || binaryFile.test(file.name)) &&
      statSync(store.pathOf(file), { throwIfNoEntry: false })?.size !==
        file.size,
  );
  const names = (files: readonly Artifact[]) =>
    files.map(({ container, name }) => `${container}/${name}`);
  const sources = lost.filter(({ type }) => type === "SPU");
  if (sources.length > 0) throw filesMissing(ticket, names(sources));
  const step = workStep(ticket.step.code)?.code ?? queueStep;
  if (lost.length > 0 && comesAfter(step, packagesStep))
    throw needsRepair(
      `built packages of ticket ${ticket.id} are missing from the data store, or have another size: ${names(lost).join(", ")}`,
      remedy("retry", [ticket.id], { from: commandOf(packagesStep) }),
    );
}

/** Local paths of stored files: the store's own, or copies in a folder. */
async function readable(
  store: Store,
  files: readonly Artifact[],
  folder: () => string,
): Promise<string[]> {
  if (isLocal(store)) return files.map((file) => store.pathOf(file));
  const copies: string[] = [];
  for (const file of files) {
    const copy = join(folder(), file.name);
    await store.fetch(file, copy, file.sha256);
    copies.push(copy);
  }
  return copies;
}

/** Plans a step, unless its work was handed over to a remote engine or an override skips it. */
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

/** What is found of a step that was passed over: nothing. */
export function missingFrom(step: WorkStepCode, input: StepInput): Finding[] {
  const requirement = requirements.find(
    (one) => stepOfRequirement[one] === step,
  );
  if (requirement === undefined) return [];
  const { sources } = judgedOf(input);
  return (requirement === "image" ? [""] : sources).map((source) => ({
    requirement,
    source,
    architecture: input.architecture,
    result: "missing",
    reason: null,
  }));
}

/** Why a step is skipped, or null. */
export function passOver(step: WorkStepCode, input: StepInput): string | null {
  const { ticket, image, architecture, policy } = input;
  const over = passedOver(ticket.overrides, step, {
    image: image !== null,
    architecture,
  });
  if (over !== null || image !== null || workAt(step).needsImage !== true)
    return over;
  return isImageNeeded(policy, judgedOf(input), architecture)
    ? null
    : "there is no image to test on, and the policy requires none";
}
