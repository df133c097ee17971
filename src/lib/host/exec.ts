import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { StringDecoder } from "node:string_decoder";
import type { Readable } from "node:stream";

import { ExitCode, UbuntuCiError } from "../domain/error.ts";
import { cutLine, splitLines } from "../domain/output-lines.ts";
import { remedy } from "../domain/remedy.ts";
import { environmentOfTools } from "./environment.ts";
import { pipeIntoLog, type LogLimit } from "./log-limit.ts";

/** How one process is run. Everything is an argv array; there is no shell. */
export interface ExecOptions {
  readonly cwd?: string;
  /** Added to what every tool has (see {@link environmentOfTools}); with `cleanEnv` it is all of it. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cleanEnv?: boolean;
  /** Text for standard input; without it standard input is empty. */
  readonly input?: string;
  /** File that standard input is read from, instead. */
  readonly inputFile?: string;
  /** Milliseconds after which the process is ended. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** File that standard output and error are appended to; stdout and stderr are then empty. */
  readonly logFile?: string;
  /** Where the log ends, whatever is printed after that. */
  readonly logLimit?: LogLimit;
  /** Called for each line of output as it comes; one that is too long is cut. */
  readonly onLine?: (line: string) => void;
  /** Root only: the account to run it as. */
  readonly account?: { readonly uid: number; readonly gid: number };
  /**
   * The umask that it starts with: 022 where others have to be able to read what it makes, or where a
   * package expects a build's usual one. By default it is ours, under which files are private.
   */
  readonly umask?: "022";
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
  /** It printed more than `maxBuffer`, and was ended. */
  readonly tooLong: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

/** Loaded when it is first needed, and kept, because an upgrade replaces the files it is loaded from. */
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
  ip: "iproute2",
  nsenter: "util-linux",
  pasta: "passt",
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
  const [tool] = argv;
  if (tool === undefined) throw new RangeError("an empty command");
  const [file = tool, ...args] =
    options.umask === undefined
      ? argv
      : withUmask(options.umask, argv, options);
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
    extendEnv: false,
    env: {
      ...(options.cleanEnv === true ? {} : environmentOfTools()),
      ...options.env,
    },
    maxBuffer: options.maxBuffer ?? 10 * 1024 * 1024,
    // With a log file the output is not kept in memory, for which it may be too long.
    buffer: log === undefined,
    forceKillAfterDelay: 5000,
    ...(options.cwd !== undefined && { cwd: options.cwd }),
    ...(options.account !== undefined && {
      uid: options.account.uid,
      gid: options.account.gid,
    }),
    ...(options.inputFile !== undefined
      ? { inputFile: options.inputFile }
      : options.input === undefined
        ? { stdin: "ignore" as const }
        : { input: options.input }),
    ...(options.timeoutMs !== undefined && { timeout: options.timeoutMs }),
    ...(options.signal !== undefined && { cancelSignal: options.signal }),
  });
  if (log !== undefined)
    pipeIntoLog([child.stdout, child.stderr], log, options.logLimit);
  if (options.onLine !== undefined) {
    eachLine(child.stdout, options.onLine);
    eachLine(child.stderr, options.onLine);
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
    throw missingTool(tool);
  }
  return {
    argv,
    exitCode: result.exitCode,
    signal: result.signal,
    timedOut: result.timedOut,
    cancelled: result.isCanceled,
    tooLong: result.isMaxBuffer,
    stdout: typeof result.stdout === "string" ? result.stdout : "",
    stderr: typeof result.stderr === "string" ? result.stderr : "",
  };
}

/** The command that sets the umask and becomes another. @throws UbuntuCiError (78) when that is not installed */
function withUmask(
  umask: string,
  argv: readonly string[],
  { env }: ExecOptions,
): readonly string[] {
  // Else the shell reports a missing tool, in its own words.
  const [tool = ""] = argv;
  if (!tool.includes("/")) requireTools([tool], env?.["PATH"]);
  return ["sh", "-c", `umask ${umask} && exec "$@"`, "sh", ...argv];
}

/**
 * Calls back for each line of a stream as it comes; no more of it is kept than a line may have.
 *
 * @param whole only lines that end: what is behind the last newline may be the half of one
 */
function eachLine(
  stream: Readable,
  onLine: (line: string) => void,
  whole = false,
): void {
  const decoder = new StringDecoder("utf8");
  const lines = splitLines((line) =>
    onLine(line.endsWith("\r") ? line.slice(0, -1) : line),
  );
  stream.on("data", (chunk: Buffer) => lines.push(decoder.write(chunk)));
  if (whole) return;
  stream.on("end", () => {
    lines.push(decoder.end());
    lines.end();
  });
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
  const said = text.trim();
  const lines: string[] = [];
  for (let end = said.length; end >= 0 && lines.length < count;) {
    const begin = end === 0 ? -1 : said.lastIndexOf("\n", end - 1);
    lines.unshift(cutLine(said.slice(begin + 1, end)));
    end = begin;
  }
  return lines.join(" | ");
}

/** The error for a tool that is not installed. */
export function missingTool(tool: string): UbuntuCiError {
  const name = tool.split("/").at(-1) ?? tool;
  return new UbuntuCiError(`${name} is not installed`, {
    exitCode: ExitCode.misconfigured,
    hint: {
      ...remedy("install", [packageOf[name] ?? name]),
      program: "apt-get",
    },
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
  /** Ends it, with SIGKILL. */
  kill(): void;
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
  let complaint = "";
  eachLine(child.stdout, options.onLine, true);
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
    kill: () => void child.kill("SIGKILL"),
    ended,
  };
}

/** Whether a command succeeds, without the modules that {@link exec} has to load. */
export function succeeds(
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<boolean> {
  const [file = "", ...args] = argv;
  const child = spawn(file, args, { cwd: "/", env, stdio: "ignore" });
  return new Promise((done) => {
    child.on("error", () => done(false));
    child.on("close", (code) => done(code === 0));
  });
}

/** How a program ended that ran in this one's place. */
export type EndInPlace =
  { readonly exitCode: number } | { readonly signal: NodeJS.Signals };

/** The signals that are passed on: those that end a program, and a terminal's change of size. */
const passedOn = [
  "SIGINT",
  "SIGTERM",
  "SIGHUP",
  "SIGQUIT",
  "SIGWINCH",
] as const;

/**
 * Runs a program in the place of this one until it ends: it has the same standard input, output and
 * error, and each signal that reaches this process reaches it, once. It has a session of its own, so
 * that it cannot push input into this process's terminal (TIOCSTI, ioctl_tty(2)).
 */
export function runInPlace(
  argv: readonly string[],
  options: {
    readonly cwd: string;
    readonly env: Readonly<Record<string, string>>;
  },
): Promise<EndInPlace> {
  const [file = "", ...args] = argv;
  const child = spawn(file, args, {
    cwd: options.cwd,
    env: { ...options.env },
    stdio: "inherit",
    detached: true,
  });
  const whole = () => -(child.pid ?? 0);
  const handlers = new Map<NodeJS.Signals, () => void>(
    passedOn.map((signal) => [signal, () => child.kill(signal)]),
  );
  // Ctrl-Z is ignored: in a session of its own nobody could resume the program.
  handlers.set("SIGTSTP", () => {
    process.kill(whole(), "SIGSTOP");
    process.kill(process.pid, "SIGSTOP");
  });
  handlers.set("SIGCONT", () => process.kill(whole(), "SIGCONT"));
  for (const [signal, handler] of handlers) process.on(signal, handler);
  return new Promise<EndInPlace>((done, fail) => {
    child.on("error", (error: NodeJS.ErrnoException) => {
      fail(error.code === "ENOENT" ? missingTool(file) : error);
    });
    child.on("exit", (code, signal) => {
      for (const [name, handler] of handlers)
        process.removeListener(name, handler);
      done(signal === null ? { exitCode: code ?? 0 } : { signal });
    });
  });
}
