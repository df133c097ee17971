import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

import { ExitCode, UbuntuCiError } from "../domain/error.ts";

/** How one process is run. Everything is an argv array; there is no shell. */
export interface ExecOptions {
  readonly cwd?: string;
  /** Added to the environment; with `cleanEnv` it is the whole environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cleanEnv?: boolean;
  /** Text for standard input; without it standard input is empty. */
  readonly input?: string;
  /** Milliseconds after which the process is ended. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** File that standard output and error are appended to; stdout and stderr are then empty. */
  readonly logFile?: string;
  /** Called for each line of output as it comes. */
  readonly onLine?: (line: string) => void;
  /** Root only: the account to run it as. */
  readonly account?: { readonly uid: number; readonly gid: number };
  /** Bytes of output kept in memory, per stream; the rest only goes to the log. Default 10 MiB. */
  readonly maxBuffer?: number;
}

/** How a process ended. exitCode is undefined when a signal or the time limit ended it. */
export interface ExecResult {
  readonly argv: readonly string[];
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  readonly timedOut: boolean;
  readonly cancelled: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

/** Loaded when it is first needed, and kept: an upgrade swaps the files it is loaded from. */
let loaded: typeof import("execa") | undefined;

/** Debian package that has a tool, where the two are not called the same. */
const packageOf: Readonly<Record<string, string>> = {
  "apt-get": "apt",
  "apt-cache": "apt",
  "apt-config": "apt",
  "dpkg-deb": "dpkg",
  "dpkg-source": "dpkg-dev",
  "dpkg-scanpackages": "dpkg-dev",
  "dpkg-buildpackage": "dpkg-dev",
  gpg: "gnupg",
  gpgconf: "gnupg",
  newuidmap: "uidmap",
  newgidmap: "uidmap",
  nsenter: "util-linux",
  perl: "perl-base",
  setpriv: "util-linux",
  unshare: "util-linux",
  xz: "xz-utils",
};

/**
 * Runs a process to its end and tells how it ended; a non-zero exit is not an error here, because
 * only the caller knows what it means.
 *
 * @throws UbuntuCiError (78) naming the Debian package, when the program is not installed
 */
export async function exec(
  argv: readonly string[],
  options: ExecOptions = {},
): Promise<ExecResult> {
  const [file, ...args] = argv;
  if (file === undefined) throw new RangeError("an empty command");
  const { execa } = (loaded ??= await import("execa"));
  const { createWriteStream } = await import("node:fs");
  const log =
    options.logFile === undefined
      ? undefined
      : createWriteStream(options.logFile, { flags: "a" });
  const child = execa(file, args, {
    reject: false,
    stripFinalNewline: false,
    all: false,
    extendEnv: options.cleanEnv !== true,
    env: options.env ?? {},
    maxBuffer: options.maxBuffer ?? 10 * 1024 * 1024,
    // A log can be longer than memory should hold: with a log file the output lives there alone.
    buffer: log === undefined,
    forceKillAfterDelay: 5000,
    ...(options.cwd !== undefined && { cwd: options.cwd }),
    ...(options.account !== undefined && {
      uid: options.account.uid,
      gid: options.account.gid,
    }),
    ...(options.input === undefined
      ? { stdin: "ignore" }
      : { input: options.input }),
    ...(options.timeoutMs !== undefined && { timeout: options.timeoutMs }),
    ...(options.signal !== undefined && { cancelSignal: options.signal }),
  });
  if (log !== undefined) {
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
  }
  if (options.onLine !== undefined) {
    const { createInterface } = await import("node:readline");
    createInterface({ input: child.stdout }).on("line", options.onLine);
    createInterface({ input: child.stderr }).on("line", options.onLine);
  }
  const result = await child;
  if (log !== undefined) {
    await new Promise<void>((done, fail) => {
      log.on("error", fail);
      log.end(done);
    });
  }
  if (result.code === "ENOENT") {
    if (options.cwd !== undefined)
      await (await import("node:fs/promises")).access(options.cwd);
    throw missingTool(file);
  }
  return {
    argv,
    exitCode: result.exitCode,
    signal: result.signal,
    timedOut: result.timedOut,
    cancelled: result.isCanceled,
    stdout: typeof result.stdout === "string" ? result.stdout : "",
    stderr: typeof result.stderr === "string" ? result.stderr : "",
  };
}

/**
 * Runs a process that has to succeed and returns what it printed.
 *
 * @throws UbuntuCiError (75) with the last lines of its output, when it does not
 */
export async function execOk(
  argv: readonly string[],
  options: ExecOptions = {},
): Promise<string> {
  const result = await exec(argv, options);
  if (result.exitCode !== 0) {
    throw new UbuntuCiError(
      `${argv[0] ?? ""} ${describeEnd(result)}: ${lastLines(result.stderr || result.stdout)}`,
      {
        exitCode: ExitCode.notNow,
      },
    );
  }
  return result.stdout;
}

/** How a process ended, in words: "exited with 3", "was ended by SIGKILL". */
export function describeEnd(result: ExecResult): string {
  if (result.timedOut) return "ran past its time limit";
  if (result.cancelled) return "was cancelled";
  if (result.exitCode !== undefined) return `exited with ${result.exitCode}`;
  return `was ended by ${result.signal ?? "a signal"}`;
}

/** The last lines of an output, joined into one, for an error message. */
export function lastLines(text: string, count = 3): string {
  return text.trim().split("\n").slice(-count).join(" | ");
}

/** The error for a tool that is not installed. */
export function missingTool(tool: string): UbuntuCiError {
  const name = tool.split("/").at(-1) ?? tool;
  return new UbuntuCiError(`${name} is not installed`, {
    exitCode: ExitCode.misconfigured,
    hint: `apt-get install ${packageOf[name] ?? name}`,
  });
}

/** Where a program is, by the folders of PATH; undefined when it is not installed. */
export function findTool(
  tool: string,
  path = process.env["PATH"] ?? "",
): string | undefined {
  for (const folder of path.split(delimiter)) {
    try {
      const file = join(folder, tool);
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // not in this folder
    }
  }
  return undefined;
}

/**
 * For tools that another program starts for us: their absence would look like that program's failure.
 *
 * @throws UbuntuCiError (78) naming the Debian package of the first one that is not installed
 */
export function requireTools(tools: readonly string[], path?: string): void {
  for (const tool of tools)
    if (findTool(tool, path) === undefined) throw missingTool(tool);
}

/** A process that lives as long as we need it, spoken to over its standard input. */
export interface RunningProcess {
  /** Sends one line. A process that is gone is told nothing; `ended` says so. */
  send(line: string): void;
  /** Ends its standard input. */
  endInput(): void;
  /** How it ended, in words, with the last of what it said on standard error. */
  readonly ended: Promise<string>;
}

/**
 * Starts a process and hands on each line of its output. Its standard input is a pipe that only this
 * process holds: when we die, in whatever way, it reads the end of its input.
 */
export function start(
  argv: readonly string[],
  options: {
    readonly cwd: string;
    readonly env: Readonly<Record<string, string>>;
    readonly onLine: (line: string) => void;
  },
): RunningProcess {
  const [file = "", ...args] = argv;
  const child = spawn(file, args, {
    cwd: options.cwd,
    env: { ...options.env },
    stdio: "pipe",
  });
  let output = "";
  let complaint = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const lines = (output + text).split("\n");
    output = lines.pop() ?? "";
    for (const line of lines) options.onLine(line);
  });
  child.stderr
    .setEncoding("utf8")
    .on(
      "data",
      (text: string) => (complaint = (complaint + text).slice(-4000)),
    );
  // Writing to a process that is gone is no error of its own: `ended` tells.
  child.stdin.on("error", () => undefined);
  const ended = new Promise<string>((done) => {
    child.on("error", (error: NodeJS.ErrnoException) =>
      done(error.code === "ENOENT" ? missingTool(file).message : error.message),
    );
    child.on("close", (code, signal) =>
      done(
        `${signal ?? `exited with ${String(code)}`}: ${lastLines(complaint)}`,
      ),
    );
  });
  return {
    send: (line) => child.stdin.write(`${line}\n`),
    endInput: () => child.stdin.end(),
    ended,
  };
}
