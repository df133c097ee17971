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

/** The command that works on tickets at each step, in the order of a ticket's way. */
export const stepCommands = [
  { code: 100, command: "assign-ppa", next: 200 },
  { code: 200, command: "build-source", next: 300 },
  { code: 300, command: "build-image", next: 400 },
  { code: 400, command: "run-tests", next: 500 },
  { code: 500, command: "publish", next: 1000 },
] as const satisfies readonly {
  code: WorkStepCode;
  command: string;
  next: StepCode;
}[];

export type StepCommand = (typeof stepCommands)[number]["command"];

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

/** The step after this one when its work has passed. */
export function nextStep(code: WorkStepCode): StepCode {
  return workAt(code).next;
}

/** The command that works on tickets at that step. */
export function commandOf(code: WorkStepCode): StepCommand {
  return workAt(code).command;
}

function workAt(code: WorkStepCode): (typeof stepCommands)[number] {
  const found = stepCommands.find((entry) => entry.code === code);
  if (found === undefined) throw new RangeError(`no work at step ${code}`);
  return found;
}
