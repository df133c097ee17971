/** The steps of a ticket; the codes are those of the original Ubuntu CI engine. */
export const steps = [
  { code: 100, name: "Queued" },
  { code: 200, name: "Package Building" },
  { code: 300, name: "Image Building" },
  { code: 400, name: "Image Testing" },
  { code: 500, name: "Package Publishing" },
  { code: 999, name: "Failed" },
  { code: 1000, name: "Complete" },
] as const;

export type StepCode = (typeof steps)[number]["code"];
export type StepName = (typeof steps)[number]["name"];

export interface Step {
  readonly code: StepCode;
  readonly name: StepName;
}

/** The codes of the steps that have a command. */
export type WorkStepCode = 100 | 200 | 300 | 400 | 500;

/** The properties of a step that the engine's rules depend on, so that no rule compares step numbers. */
interface WorkStep {
  readonly code: WorkStepCode;
  /** The command that works on tickets at it. */
  readonly command: string;
  readonly next: StepCode;
  /** At this step, a ticket waits in the queue and gets its PPA. */
  readonly reservesPpa?: true;
  /** What the step makes for later steps. */
  readonly makes?: "packages" | "image";
  readonly needsImage?: true;
  /** Its effect is permanent: before the ticket can fail, it must be known whether it has happened. */
  readonly publishes?: true;
  /** A package can land without this step (`override`). */
  readonly mayBeIgnored?: true;
  /** The step runs code of the package, which may fail on this machine's architecture only. */
  readonly triesPackage?: true;
}

/** The steps that do work, in order. */
export const stepCommands = [
  { code: 100, command: "assign-ppa", next: 200, reservesPpa: true },
  {
    code: 200,
    command: "build-source",
    next: 300,
    makes: "packages",
    triesPackage: true,
  },
  {
    code: 300,
    command: "build-image",
    next: 400,
    makes: "image",
    mayBeIgnored: true,
    triesPackage: true,
  },
  {
    code: 400,
    command: "run-tests",
    next: 500,
    needsImage: true,
    mayBeIgnored: true,
    triesPackage: true,
  },
  { code: 500, command: "publish", next: 1000, publishes: true },
] as const satisfies readonly WorkStep[];

export type StepCommand = (typeof stepCommands)[number]["command"];

/** The first step, and the two final ones. */
export const queueStep = 100;
export const failedStep = 999;
export const completeStep = 1000;

/** The step that makes the packages, and the one that makes the image. */
export const packagesStep = makerOf("packages");
export const imageStep = makerOf("image");

/** The step that runs tests. */
export const testsStep: WorkStepCode = 400;

/** The step after which a ticket is complete. */
export const publishStep = 500;

/** The step of that code. */
export function stepOf(code: StepCode): Step {
  const step = steps.find((candidate) => candidate.code === code);
  if (step === undefined) throw new RangeError(`no step ${code}`);
  return step;
}

/** Finds a step by what a user typed: its code, its name, or its command. */
export function parseStep(text: string): Step | undefined {
  const wanted = text.trim().toLowerCase().replaceAll(/[_ ]/g, "-");
  const byCommand = stepCommands.find(({ command }) => command === wanted);
  if (byCommand !== undefined) return stepOf(byCommand.code);
  return steps.find(
    ({ code, name }) =>
      String(code) === wanted ||
      name.toLowerCase().replaceAll(" ", "-") === wanted,
  );
}

/** The command that works on tickets at that step. */
export function commandOf(code: WorkStepCode): StepCommand {
  return workAt(code).command as StepCommand;
}

/** The properties of a step that does work. */
export function workAt(code: WorkStepCode): WorkStep {
  const found = workStep(code);
  if (found === undefined) throw new RangeError(`no work at step ${code}`);
  return found;
}

/** {@link workAt}, or undefined for a final step. */
export function workStep(code: StepCode): WorkStep | undefined {
  return stepCommands.find((entry) => entry.code === code);
}

/** Whether a ticket at that step has ended. */
export function hasEnded(code: StepCode): boolean {
  return workStep(code) === undefined;
}

/** Whether a ticket reaches a step later than another. */
export function comesAfter(code: WorkStepCode, other: WorkStepCode): boolean {
  return placeOf(code) > placeOf(other);
}

/** The step that a ticket reaches last. */
export function lastOf(...codes: readonly WorkStepCode[]): WorkStepCode {
  return codes.reduce((one, other) => (comesAfter(other, one) ? other : one));
}

/** The step that a ticket reaches first. */
export function firstOf(...codes: readonly WorkStepCode[]): WorkStepCode {
  return codes.reduce((one, other) => (comesAfter(one, other) ? other : one));
}

function placeOf(code: WorkStepCode): number {
  return stepCommands.findIndex((entry) => entry.code === code);
}

function makerOf(what: "packages" | "image"): WorkStepCode {
  const found: WorkStep | undefined = stepCommands.find(
    (entry: WorkStep) => entry.makes === what,
  );
  if (found === undefined) throw new RangeError(`no step makes ${what}`);
  return found.code;
}
