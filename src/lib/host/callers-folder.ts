const variable = "UBUNTU_CI_FROM_ROOT";

/** What root tells the program that it starts as the state's owner. */
export interface FromRoot {
  /** The folder root called it in, which paths on the command line are relative to. */
  readonly folder: string;
  /** Where copies of the files are that perhaps root alone may read, or null. */
  readonly copies: string | null;
  /** The umask that root called it with, for files that it asked for. */
  readonly umask: number;
}

function read(): FromRoot | undefined {
  const text = process.env[variable];
  // It is for this process, not for what it starts.
  Reflect.deleteProperty(process.env, variable);
  return text === undefined ? undefined : (JSON.parse(text) as FromRoot);
}

/** What root said; undefined where root did not start this. */
export const fromRoot = read();

/** How root says it. */
export function tellFromRoot(said: FromRoot): Record<string, string> {
  return { [variable]: JSON.stringify(said) };
}

const folder = fromRoot?.folder ?? workingFolder();

function workingFolder(): string {
  try {
    return process.cwd();
  } catch {
    return "/"; // it was removed
  }
}

/** The folder that relative paths on the command line are meant in. */
export function callersFolder(): string {
  return folder;
}

/** Stays in that folder where this user may enter it by its path; else tools would trip over it. */
export function enterCallersFolder(): void {
  try {
    process.chdir(folder);
  } catch {
    process.chdir("/");
  }
}
