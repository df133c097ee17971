import { ExitCode, messageOf, UbuntuCiError } from "../domain/error.ts";
import type { Outcome } from "../domain/ticket.ts";

/** Thrown inside a backend to end its work with a verdict; never leaves it. */
export class Verdict extends Error {
  override readonly name: string = "Verdict";
  readonly outcome: Exclude<Outcome, "passed">;

  constructor(outcome: Exclude<Outcome, "passed">, reason: string) {
    super(reason);
    this.outcome = outcome;
  }
}

/** The package is to blame. */
export const packageFault = (reason: string): Verdict =>
  new Verdict("failed", reason);

/** We are to blame: another attempt may pass. */
export const ourFault = (reason: string): Verdict =>
  new Verdict("tmpfail", reason);

/** Ends of a piece of work from outside: the time limit is the package's, cancelling is not. */
export interface Limits {
  /** Of the caller: cancelled, or the program was asked to stop. */
  readonly cancel: AbortSignal;
  readonly limit: AbortSignal;
  readonly limitMs: number;
  /** Either. */
  readonly any: AbortSignal;
}

/** The limits of a piece of work that may take so many milliseconds. */
export function limitsOf(cancel: AbortSignal, limitMs: number): Limits {
  const limit = AbortSignal.timeout(limitMs);
  return { cancel, limit, limitMs, any: AbortSignal.any([cancel, limit]) };
}

/**
 * The verdict that a thrown value means. What the machine refused (no space, no session) is ours.
 *
 * @throws the value itself, when it is a bug, or when another attempt cannot pass before a person
 * has installed or configured something (78)
 */
export function verdictOf(thrown: unknown, limits: Limits): Verdict {
  if (limits.cancel.aborted) return ourFault("was cancelled");
  if (limits.limit.aborted) {
    const minutes = Math.round(limits.limitMs / 6000) / 10;
    return packageFault(`ran past its time limit of ${minutes} minutes`);
  }
  if (thrown instanceof Verdict) return thrown;
  if (
    thrown instanceof UbuntuCiError &&
    thrown.exitCode !== ExitCode.misconfigured
  )
    return ourFault(messageOf(thrown));
  const fromSystem =
    thrown instanceof Error && "syscall" in thrown && "code" in thrown;
  if (fromSystem) return ourFault(messageOf(thrown));
  throw thrown;
}
