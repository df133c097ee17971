import type { WorkStepCode } from "./step.ts";

/** Minutes that the configuration allows each kind of work. */
export interface WorkLimits {
  readonly ppa: number;
  readonly build: number;
  readonly image: number;
  readonly test: number;
  readonly publish: number;
}

/** The longest a timer of Node's can wait, in milliseconds (24.8 days). */
const longestTimer = 2 ** 31 - 1;

/**
 * Milliseconds that one run of a step may take with that many source packages. Backends have shorter
 * limits of their own for a single build, image or test, which count as the package's failure. This one
 * ends every run at last, and counts as ours.
 */
export function stepLimitMs(
  step: WorkStepCode,
  sources: number,
  limits: WorkLimits,
): number {
  const minutes = {
    100: limits.ppa,
    200: limits.ppa + sources * (limits.build + limits.ppa),
    300: limits.ppa + limits.image,
    400: limits.ppa + sources * limits.test,
    500: limits.publish,
  }[step];
  return Math.min(minutes * 60_000, longestTimer);
}
