import { fromRoot } from "./callers-folder.ts";

/** Assumed until the caller's umask is known. */
const usual = 0o022;

let callers = usual;

/**
 * Makes all new files of this process and its children private, whatever the caller's umask. The state
 * is private; files/public-files.ts makes what others may read.
 */
export function keepFilesPrivate(): void {
  const own = process.umask(0o077);
  // If root started this process, root's umask counts as the caller's.
  callers = fromRoot?.umask ?? own;
}

/** The umask of the caller. */
export function callersUmask(): number {
  return callers;
}

/** The mode of an output file that the caller named: as any other program would create it. */
export function modeForCaller(): number {
  return 0o666 & ~callers;
}
