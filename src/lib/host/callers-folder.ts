const variable = "UBUNTU_CI_FROM_ROOT";

/** What the program that root starts as the state's owner is told. */
interface FromRoot {
  /** The folder root called it in, which paths on the command line are relative to. */
  readonly folder: string;
  /** Where copies of the files are that perhaps root alone may read, or null. */
  readonly copies: string | null;
  /** The umask that root called it with, for files that it asked for. */
  readonly umask: number;
}

function read(): FromRoot | undefined {
  const text = process.env[variable];
  // Only for this process, not for its children.
  Reflect.deleteProperty(process.env, variable);
  return text === undefined ? undefined : (JSON.parse(text) as FromRoot);
}

/** What root passed on; undefined when root did not start this process. */
export const fromRoot = read();

/** The environment that passes it on. */
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

/** The folder that relative paths on the command line refer to. */
export function callersFolder(): string {
  return folder;
}

/** Changes to that folder if this user may enter it: tools fail in a working folder that they cannot enter. */
export function enterCallersFolder(): void {
  try {
    process.chdir(folder);
  } catch {
    process.chdir("/");
  }
}
