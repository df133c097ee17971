const variable = "UBUNTU_CI_FROM_ROOT";

/** What root passes on to the process that it starts as the state's owner. */
interface FromRoot {
  /** Root's working folder, which paths on the command line are relative to. */
  readonly folder: string;
  /** Folder with copies of the files that the owner may not be able to read; null without copies. */
  readonly copies: string | null;
  /** Root's umask, for output files named on the command line. */
  readonly umask: number;
}

function read(): FromRoot | undefined {
  const text = process.env[variable];
  // Removed from the environment, so that child processes do not inherit it.
  Reflect.deleteProperty(process.env, variable);
  return text === undefined ? undefined : (JSON.parse(text) as FromRoot);
}

/** What root passed on; undefined when root did not start this process. */
export const fromRoot = read();

/** Environment variables that pass this on to the new process. */
export function tellFromRoot(said: FromRoot): Record<string, string> {
  return { [variable]: JSON.stringify(said) };
}

const folder = fromRoot?.folder ?? workingFolder();

function workingFolder(): string {
  try {
    return process.cwd();
  } catch {
    return "/"; // the working folder was removed
  }
}

/** The folder that relative paths on the command line refer to. */
export function callersFolder(): string {
  return folder;
}

/** Changes to the caller's folder, or to / if this user may not enter it: many tools fail in such a folder. */
export function enterCallersFolder(): void {
  try {
    process.chdir(folder);
  } catch {
    process.chdir("/");
  }
}
