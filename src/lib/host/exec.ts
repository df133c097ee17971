import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { StringDecoder } from "node:string_decoder";
import type { Readable } from "node:stream";

import { ExitCode, UbuntuCiError } from "../domain/error.ts";
import { cutLine, splitLines } from "../domain/output-lines.ts";
import { remedy } from "../domain/remedy.ts";
import { environmentOfTools } from "./environment.ts";
import { packageOf } from "./tool-packages.ts";
import { pipeIntoLog, type LogLimit } from "./log-limit.ts";

/** How to run a process. */
export interface ExecOptions {
  readonly cwd?: string;
  /** Added to the environment of all tools ({@link environmentOfTools}); with `cleanEnv` the entire environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cleanEnv?: boolean;
  /** Text for standard input, which is empty by default. */
  readonly input?: string;
  /** File to use as standard input instead of a text. */
  readonly inputFile?: string;
  /** Milliseconds after which the process is terminated. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Called with the process' number once it runs. */
  readonly started?: (pid: number) => void;
  /** File that standard output and error are appended to; stdout and stderr are then empty. */
  readonly logFile?: string;
  /** Where the log ends, whatever is printed after that. */
  readonly logLimit?: LogLimit;
  /** Called with each line of output as it arrives; long lines are cut. */
  readonly onLine?: (line: string) => void;
  /** The account to run the process as; only root can choose one. */
  readonly account?: { readonly uid: number; readonly gid: number };
  /**
   * The umask of the process: 022 where others must be able to read the files that it creates, or where
   * a package build expects the usual one. By default this program's own, which keeps files private.
   */
  readonly umask?: "022";
  /** Bytes of output kept in memory per stream. Default 10 MiB. */
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

/** Loaded when first needed, and kept, because an upgrade replaces the files of the module. */
let loaded: typeof import("execa") | undefined;

/**
 * Runs a process to its end, without a shell. A non-zero exit code is not an error here, because only
 * the caller knows what it means.
 *
 * @param argv the program and its arguments
 * @throws UbuntuCiError (78) naming the Debian package when the program is not installed
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
    // With a log file, output is not kept in memory: it may be very long.
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
  if (child.pid !== undefined) options.started?.(child.pid);
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

/**
 * A command line that sets the umask and then executes another command.
 *
 * @throws UbuntuCiError (78) when that command is not installed
 */
function withUmask(
  umask: string,
  argv: readonly string[],
  { env }: ExecOptions,
): readonly string[] {
  // Checked first: otherwise the shell would report a missing tool in its own words.
  const [tool = ""] = argv;
  if (!tool.includes("/")) requireTools([tool], env?.["PATH"]);
  return ["sh", "-c", `umask ${umask} && exec "$@"`, "sh", ...argv];
}

/**
 * Calls back with each line of a stream as it arrives. Memory use is bounded by the length limit of a
 * line.
 *
 * @param whole omit the text after the last newline, which may be an incomplete line
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
 * Runs a process that must succeed, and returns its standard output.
 *
 * @throws UbuntuCiError (75) with the last lines of its output when it fails
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

/** The last lines of a program's output, joined into one line for an error message. */
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

/** Path of a program, looked up in the folders of PATH; undefined when it is not installed. */
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
      // not executable in this folder
    }
  }
  return undefined;
}

/**
 * Checks for tools that another program starts: that program would fail in its own way without them.
 *
 * @throws UbuntuCiError (78) naming the Debian package of the first one that is not installed
 */
export function requireTools(tools: readonly string[], path?: string): void {
  for (const tool of tools)
    if (findTool(tool, path) === undefined) throw missingTool(tool);
}

/** A long-running process that is controlled through its standard input. */
export interface RunningProcess {
  /** Sends one line. Ignored when the process has ended. */
  send(line: string): void;
  /** Closes its standard input. */
  endInput(): void;
  /** Sends SIGKILL. */
  kill(): void;
  /** Resolves when the process has ended: how it ended, with the last lines of its standard error. */
  readonly ended: Promise<string>;
}

/**
 * Starts a process and passes on each line of its output. Only this process holds the other end of its
 * standard input, so it reads end-of-file if this process dies, in whatever way.
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
  // Writing to a process that has ended is not a separate error: `ended` reports it.
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

/** Whether a command succeeds. Avoids the modules that {@link exec} loads, which take time. */
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

/** How a program that ran in this one's place ended. */
export type EndInPlace =
  { readonly exitCode: number } | { readonly signal: NodeJS.Signals };

/** The signals that are passed on: those that end a program, and the resizing of the terminal. */
const passedOn = [
  "SIGINT",
  "SIGTERM",
  "SIGHUP",
  "SIGQUIT",
  "SIGWINCH",
] as const;

/**
 * Runs a program in place of this one until it ends. The program shares standard input, output and
 * error, and receives each signal that this process receives, exactly once. It runs in a new session
 * (setsid(2)), so that it cannot push input into this terminal (TIOCSTI, ioctl_tty(2)).
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
  // The kernel ignores SIGTSTP in the program's session, which no shell controls: SIGSTOP stops both.
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
