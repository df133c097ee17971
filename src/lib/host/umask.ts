import { fromRoot } from "./callers-folder.ts";

/** The umask that is assumed when the caller's is unknown. */
const usual = 0o022;

let callers = usual;

/**
 * Makes all new files of this process and its children private, whatever the caller's umask: a state
 * folder is private, and public-files.ts opens what others may read.
 */
export function keepFilesPrivate(): void {
  const own = process.umask(0o077);
  // When root started this process, the umask that root was called with counts.
  callers = fromRoot?.umask ?? own;
}

/** The umask that this was called with. */
export function callersUmask(): number {
  return callers;
}

/** The mode of a file that a person asked for, as any program they call would make it. */
export function modeForCaller(): number {
  return 0o666 & ~callers;
}
