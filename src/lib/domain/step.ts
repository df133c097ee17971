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

/** The codes at which a step command works. */
export type WorkStepCode = 100 | 200 | 300 | 400 | 500;

/** What the engine's rules have to know of a step: they ask here, and compare no numbers. */
interface WorkStep {
  readonly code: WorkStepCode;
  /** The command that works on tickets at it. */
  readonly command: string;
  readonly next: StepCode;
  /** The ticket waits in the queue here, and is given its PPA. */
  readonly reservesPpa?: true;
  /** What later steps work with. */
  readonly makes?: "packages" | "image";
  readonly needsImage?: true;
  /** What it has done outlasts the ticket: whether it has must be known before the ticket can fail. */
  readonly publishes?: true;
  /** A package can be landed without it, see `override`. */
  readonly mayBeIgnored?: true;
  /** The package itself is tried: it can be at fault for the machine's architecture alone. */
  readonly triesPackage?: true;
}

/** The steps that do work, in the order of a ticket's way. */
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

/** Where a ticket begins, and where it ends. */
export const queueStep = 100;
export const failedStep = 999;
export const completeStep = 1000;

/** The step that makes the packages, and the one that makes the image. */
export const packagesStep = makerOf("packages");
export const imageStep = makerOf("image");

/** The step after which a ticket is complete. */
export const publishStep = 500;

/** The step of that code. */
export function stepOf(code: StepCode): Step {
  const step = steps.find((candidate) => candidate.code === code);
  if (step === undefined) throw new RangeError(`no step ${code}`);
  return step;
}

/** A step from what a user typed: its code, its name, or the command that works at it. */
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

/** What is known of the work at a step. */
export function workAt(code: WorkStepCode): WorkStep {
  const found = workStep(code);
  if (found === undefined) throw new RangeError(`no work at step ${code}`);
  return found;
}

/** The same, or undefined where a ticket has ended. */
export function workStep(code: StepCode): WorkStep | undefined {
  return stepCommands.find((entry) => entry.code === code);
}

/** Whether a ticket at that step has ended. */
export function hasEnded(code: StepCode): boolean {
  return workStep(code) === undefined;
}

/** Whether a step comes later on a ticket's way than another. */
export function comesAfter(code: WorkStepCode, other: WorkStepCode): boolean {
  return placeOf(code) > placeOf(other);
}

/** The one of some steps that comes last, or first, on a ticket's way. */
export function lastOf(...codes: readonly WorkStepCode[]): WorkStepCode {
  return codes.reduce((one, other) => (comesAfter(other, one) ? other : one));
}

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
