import { resolve } from "node:path";

import { InvalidArgumentError } from "commander";

import type { Step } from "../lib/domain/step.ts";
import { parseStep, steps } from "../lib/domain/step.ts";

/** A ticket's number. */
export function ticketNumber(text: string): number {
  if (!/^[1-9][0-9]{0,14}$/.test(text))
    throw new InvalidArgumentError("It must be the number of a ticket.");
  return Number(text);
}

/** A whole number, which may be negative. */
export function wholeNumber(text: string): number {
  if (!/^-?[0-9]{1,9}$/.test(text))
    throw new InvalidArgumentError("It must be a whole number.");
  return Number(text);
}

/** A step, by code or name. */
export function stepArgument(text: string): Step {
  const step = parseStep(text);
  if (step === undefined) {
    throw new InvalidArgumentError(
      `It must be one of ${steps.map(({ code, name }) => `${code} (${name})`).join(", ")}.`,
    );
  }
  return step;
}

/** Collects a repeatable path option; absolute, so that a change of folder does not matter. */
export function collectPath(
  path: string,
  before: readonly string[] = [],
): string[] {
  return [...before, resolve(path)];
}

export function pathArgument(path: string): string {
  return resolve(path);
}
