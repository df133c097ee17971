import type { Advice } from "./remedy.ts";
import type { SetAside } from "./ticket.ts";
import { advice, remedy } from "./remedy.ts";

/** Exit codes of the commands; sysexits.h where it has a suitable code. */
export const ExitCode = {
  ok: 0,
  ticketFailed: 1,
  refused: 2,
  bug: 70,
  notWritten: 74,
  notNow: 75,
  misconfigured: 78,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** One problem of an input: where (file, field) and what. */
export interface Problem {
  /** The file, option or setting that has the problem. */
  readonly where: string;
  /** Field inside it, when it has fields. */
  readonly field?: string;
  readonly message: Advice;
}

/**
 * An error that a user can act on. Only `src/cli/report-error.ts` prints it.
 *
 * message: what went wrong and where; hint: what to do about it; problems: the individual findings, when
 * there are several; exitCode: see {@link ExitCode}.
 */
export class UbuntuCiError extends Error {
  override readonly name: string = "UbuntuCiError";
  readonly exitCode: ExitCode;
  readonly hint: Advice | undefined;
  readonly problems: readonly Problem[];
  /** The condition ends by itself, such as another running copy: not printed under cron. */
  readonly routine: boolean;
  /** Set when the error concerns only one ticket, which can continue after a person has followed the hint. */
  readonly setsAside: SetAside | undefined;

  constructor(
    message: string,
    options: {
      exitCode: ExitCode;
      hint?: Advice;
      problems?: readonly Problem[];
      cause?: unknown;
      routine?: boolean;
      setsAside?: SetAside;
    },
  ) {
    super(
      message,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.exitCode = options.exitCode;
    this.hint = options.hint;
    this.problems = options.problems ?? [];
    this.routine = options.routine ?? false;
    this.setsAside = options.setsAside;
  }
}

/** The request is wrong: usage, bad input, refused by policy (exit 2). */
export function refused(message: string, hint?: Advice): UbuntuCiError {
  return new UbuntuCiError(message, {
    exitCode: ExitCode.refused,
    ...(hint !== undefined && { hint }),
  });
}

/** Input was checked and found wrong in one or more places (exit 2). */
export function refusedWith(
  message: string,
  problems: readonly Problem[],
): UbuntuCiError {
  return new UbuntuCiError(message, { exitCode: ExitCode.refused, problems });
}

/** Not now: maintenance, another copy running, or our infrastructure failed (exit 75). */
export function notNow(
  message: string,
  hint?: Advice,
  cause?: unknown,
): UbuntuCiError {
  return new UbuntuCiError(message, {
    exitCode: ExitCode.notNow,
    ...(hint !== undefined && { hint }),
    cause,
  });
}

/** A signal ended it (exit 75): that is no failure, and what does not follow from it is told in the hint. */
export function interrupted(whatStays: Advice): UbuntuCiError {
  return notNow("interrupted", whatStays);
}

/** Held back by maintenance or by another copy that is running (exit 75): under cron that is no news. */
export function heldBack(message: string, hint: Advice): UbuntuCiError {
  return new UbuntuCiError(message, {
    exitCode: ExitCode.notNow,
    hint,
    routine: true,
  });
}

/** The configuration is wrong or a needed tool is missing (exit 78); the hint names the remedy. */
export function misconfigured(
  message: string,
  hint?: Advice,
  cause?: unknown,
): UbuntuCiError {
  return new UbuntuCiError(message, {
    exitCode: ExitCode.misconfigured,
    ...(hint !== undefined && { hint }),
    cause,
  });
}

/** One ticket cannot continue until a person has repaired something (exit 78); other tickets can. */
export function needsRepair(message: string, hint: Advice): UbuntuCiError {
  return new UbuntuCiError(message, {
    exitCode: ExitCode.misconfigured,
    hint,
    setsAside: "repair",
  });
}

/** A ticket needs somebody to allow what it would do (exit 2); once that is done it goes on by itself. */
export function needsApproval(message: string, hint: Advice): UbuntuCiError {
  return new UbuntuCiError(message, {
    exitCode: ExitCode.refused,
    hint,
    setsAside: "approval",
  });
}

/** System errors that are no bug of this program, by their code. */
const machineTrouble: Readonly<
  Record<string, { what: string; exitCode: ExitCode; hint: Advice }>
> = {
  ENOSPC: {
    what: "no space is left",
    exitCode: ExitCode.notNow,
    hint: "free some space on the disk of the state folder",
  },
  EDQUOT: {
    what: "the disk quota is used up",
    exitCode: ExitCode.notNow,
    hint: "free some space, or raise the quota",
  },
  EMFILE: {
    what: "too many files are open",
    exitCode: ExitCode.notNow,
    hint: "raise the limit (ulimit -n)",
  },
  EIO: {
    what: "the disk does not work",
    exitCode: ExitCode.notNow,
    hint: "see the kernel's log",
  },
  ESTALE: {
    what: "a network file system was remounted or is gone",
    exitCode: ExitCode.notNow,
    hint: "see whether its file systems are mounted",
  },
  EBUSY: {
    what: "another process uses it",
    exitCode: ExitCode.notNow,
    hint: advice`run it again later; ${remedy("locks")} shows what runs`,
  },
  EACCES: {
    what: "permission is denied",
    exitCode: ExitCode.misconfigured,
    hint: "run the command as the user who owns the state folder",
  },
  EPERM: {
    what: "the system does not allow it",
    exitCode: ExitCode.misconfigured,
    hint: "run the command as the user who owns the state folder",
  },
  EROFS: {
    what: "the file system is read-only",
    exitCode: ExitCode.misconfigured,
    hint: "mount it writable, or name another state folder",
  },
};

/** SQLite's codes; its extended ones begin with the plain one: SQLITE_IOERR_WRITE. */
const sameForSqlite: Readonly<Record<string, string>> = {
  SQLITE_FULL: "ENOSPC",
  SQLITE_BUSY: "EBUSY",
  SQLITE_READONLY: "EACCES",
  SQLITE_CANTOPEN: "EACCES",
  SQLITE_PERM: "EACCES",
  SQLITE_IOERR: "EIO",
};

/** SQLite's codes for contents that cannot be right. */
const damageForSqlite = ["SQLITE_CORRUPT", "SQLITE_NOTADB"];

/** Whether an error says that a database is damaged, and not only that it cannot be used just now. */
export function saysDamage(thrown: unknown): boolean {
  return (
    thrown instanceof Damage ||
    (thrown instanceof Error &&
      "code" in thrown &&
      damageForSqlite.some((code) => String(thrown.code).startsWith(code)))
  );
}

/** The error a user can act on that a thrown system or SQLite error stands for; undefined: a bug. */
export function troubleOfMachine(thrown: unknown): UbuntuCiError | undefined {
  if (!(thrown instanceof Error) || !("code" in thrown)) return undefined;
  const code = String(thrown.code);
  if (saysDamage(thrown))
    return new Damage(
      `the state file is damaged: ${thrown.message}`,
      undefined,
      thrown,
    );
  const plain = Object.keys(sameForSqlite).find((name) =>
    code.startsWith(name),
  );
  const found = machineTrouble[sameForSqlite[plain ?? ""] ?? code];
  if (found === undefined) return undefined;
  const { what, exitCode, hint } = found;
  return new UbuntuCiError(`${what}: ${thrown.message}`, {
    exitCode,
    hint,
    cause: thrown,
  });
}

/**
 * A part of the state is missing beside what refers to it, or fails its integrity check (exit 78). What
 * only cannot be read just now is something else.
 */
export class Damage extends UbuntuCiError {
  constructor(
    message: string,
    hint: Advice = advice`${remedy("fsck")} says what can be done`,
    cause?: unknown,
  ) {
    super(message, { exitCode: ExitCode.misconfigured, hint, cause });
  }
}

/** What brings back a part of the state that is gone for good; restoring needs maintenance. */
export const bringBack: Advice = advice`bring it back from a backup: ${remedy("maintenance on")}, then ${remedy("restore", ["FILE"])}`;

/** The message of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
