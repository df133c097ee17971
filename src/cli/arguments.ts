import { resolve } from "node:path";

import { InvalidArgumentError } from "commander";

import { oneLine, textProblem } from "../lib/domain/shown-text.ts";
import type { Step } from "../lib/domain/step.ts";
import { parseStep, stepCommands, stepOf, steps } from "../lib/domain/step.ts";
import { callersFolder } from "../lib/host/callers-folder.ts";

/** A ticket's number. */
export function ticketNumber(text: string): number {
  if (!/^[1-9][0-9]{0,14}$/.test(text))
    throw new InvalidArgumentError("It must be the number of a ticket.");
  return Number(text);
}

/** A landing's number, which is the archive's revision. */
export function landingNumber(text: string): number {
  if (!/^[1-9][0-9]{0,14}$/.test(text))
    throw new InvalidArgumentError("It must be the number of a landing.");
  return Number(text);
}

/** A whole number; it may be negative. */
export function wholeNumber(text: string): number {
  if (!/^-?[0-9]{1,9}$/.test(text))
    throw new InvalidArgumentError("It must be a whole number.");
  return Number(text);
}

/** A number of things, at least one. */
export function countArgument(text: string): number {
  if (!/^[1-9][0-9]{0,8}$/.test(text))
    throw new InvalidArgumentError("It must be a number above 0.");
  return Number(text);
}

/** A span of time in whole seconds. */
export function seconds(text: string): number {
  if (!/^[0-9]{1,9}$/.test(text))
    throw new InvalidArgumentError("It must be a number of seconds.");
  return Number(text);
}

const units = { s: 1, min: 60, m: 60, h: 3600, d: 86_400 } as const;

/** Spans of time: 30min, 2h, 3d. */
const span = /^([0-9]{1,6}) ?(s|min|m|h|d)$/;

/** A point in time: a date with an optional time (UTC by default), or an age such as 30min, 2h, 3d. Returns ISO 8601. */
export function momentArgument(text: string): string {
  return moment(text, -1, "a time ago");
}

/** The same, with a time from now on instead of an age. */
export function comingMomentArgument(text: string): string {
  return moment(text, 1, "a time from now");
}

function moment(text: string, sign: 1 | -1, spanInWords: string): string {
  const away = span.exec(text);
  if (away !== null) {
    const unit = units[away[2] as keyof typeof units];
    return new Date(
      Date.now() + sign * Number(away[1]) * unit * 1000,
    ).toISOString();
  }
  const date =
    /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)(Z|[+-]\d{2}:\d{2})?)?$/.exec(
      text,
    );
  const found = new Date(
    date === null
      ? NaN
      : `${date[1] ?? ""}T${date[2] ?? "00:00"}${date[3] ?? "Z"}`,
  );
  if (Number.isNaN(found.getTime()))
    throw new InvalidArgumentError(
      `It must be a date (2026-05-01, 2026-05-01T12:30) or ${spanInWords} (30min, 2h, 3d).`,
    );
  return found.toISOString();
}

const stepAmong =
  (allowed: readonly Step[]) =>
  (text: string): Step => {
    const wanted = parseStep(text);
    const step = allowed.find(({ code }) => code === wanted?.code);
    if (step !== undefined) return step;
    throw new InvalidArgumentError(
      `It must be one of ${allowed.map(({ code, name }) => `${code} (${name})`).join(", ")}.`,
    );
  };

/** A step, by code or name. */
export const stepArgument = stepAmong(steps);

/** A step that a command runs, by code, name or command. */
export const workStepArgument = stepAmong(
  stepCommands.map(({ code }) => stepOf(code)),
);

/** A reason as one line, without control characters. */
export function reasonArgument(text: string): string {
  const problem = textProblem(text, "many");
  if (problem !== null) throw new InvalidArgumentError(`It ${problem}.`);
  return oneLine(text);
}

/** Collects a repeatable path option. Paths become absolute, so that a later chdir does not matter. */
export function collectPath(
  path: string,
  before: readonly string[] = [],
): string[] {
  return [...before, pathArgument(path)];
}

/** A path made absolute against the caller's working directory. */
export function pathArgument(path: string): string {
  return resolve(callersFolder(), path);
}
