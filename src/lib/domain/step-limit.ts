import type { WorkStepCode } from "./step.ts";

/** The configured time limits of each kind of work, in minutes. */
export interface WorkLimits {
  readonly ppa: number;
  readonly build: number;
  readonly image: number;
  readonly test: number;
  readonly publish: number;
}

/** The longest delay of a Node timer, in milliseconds (24.8 days). */
const longestTimer = 2 ** 31 - 1;

/**
 * Milliseconds that a run of a step may take for that many source packages. Backends have shorter limits
 * for a single build, image or test, which count as the package's failure. This one is the last resort
 * that ends any run, and counts as a failure of the infrastructure.
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
