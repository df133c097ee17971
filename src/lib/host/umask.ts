import { fromRoot } from "./callers-folder.ts";

/** What a caller's umask is when nothing is known of it. */
const usual = 0o022;

let callers = usual;

/**
 * From here on, what this process and its children make is its user's alone, whatever the caller's
 * umask: a state folder is private, and what is for others in it is opened on purpose
 * (public-files.ts).
 */
export function keepFilesPrivate(): void {
  const own = process.umask(0o077);
  // Where root started this, the caller's is the one that root was called with.
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
