import { ExitCode, messageOf, UbuntuCiError } from "../domain/error.ts";
import type { Outcome } from "../domain/ticket.ts";
import { LimitExceeded } from "../session/resources.ts";
import { describeEnd, type ExecResult } from "../host/exec.ts";

/** Thrown inside a backend to end its work; runTask catches it. */
export class Verdict extends Error {
  override readonly name: string = "Verdict";
  readonly outcome: Exclude<Outcome, "passed">;

  constructor(outcome: Exclude<Outcome, "passed">, reason: string) {
    super(reason);
    this.outcome = outcome;
  }
}

/** The package is to blame, so another attempt would fail, too. */
export const packageFault = (reason: string): Verdict =>
  new Verdict("failed", reason);

/** Our tools or this machine are to blame, so another attempt may pass. */
export const ourFault = (reason: string): Verdict =>
  new Verdict("tmpfail", reason);

/** The verdict that one of our tools failed. */
export const toolFault = (what: string, ended: ExecResult): Verdict =>
  ourFault(`${what} ${describeEnd(ended)}: ${ended.stderr.trim()}`);

/** The two ways to end a piece of work early. Running out of time is the package's fault, cancelling is not. */
export interface Limits {
  /** The caller's signal: the work was cancelled, or the program was asked to stop. */
  readonly cancel: AbortSignal;
  /** The time limit, in milliseconds, and its signal. */
  readonly limit: AbortSignal;
  readonly limitMs: number;
  /** Aborts with either. */
  readonly any: AbortSignal;
}

/** The limits of work that is cancelled by a signal, or takes longer than some milliseconds. */
export function limitsOf(cancel: AbortSignal, limitMs: number): Limits {
  const limit = AbortSignal.timeout(limitMs);
  return { cancel, limit, limitMs, any: AbortSignal.any([cancel, limit]) };
}

/**
 * Turns a thrown value into a verdict. What the machine refused (no space, no session) is our fault.
 *
 * @throws the value itself when it is a bug, or an UbuntuCiError (78), since another attempt cannot
 * pass before a person has installed or configured something
 */
export function verdictOf(thrown: unknown, limits: Limits): Verdict {
  if (limits.cancel.aborted) return ourFault("was cancelled");
  if (limits.limit.aborted) {
    const minutes = Math.round(limits.limitMs / 6000) / 10;
    return packageFault(`ran past its time limit of ${minutes} minutes`);
  }
  if (thrown instanceof Verdict) return thrown;
  if (thrown instanceof LimitExceeded) return packageFault(thrown.message);
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
