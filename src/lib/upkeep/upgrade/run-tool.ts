import { constants } from "node:fs";
import { open, readdir, readFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";

import { ExitCode, notNow, UbuntuCiError } from "../../domain/error.ts";
import type { Account } from "../../host/account.ts";
import {
  environmentOfAccount,
  environmentOfTools,
} from "../../host/environment.ts";
import { describeEnd, exec, lastLines } from "../../host/exec.ts";
import { upgradeLogFile, ownerForRoot } from "./place.ts";
import type { Upgrading } from "./upgrading.ts";

export const minute = 60_000;

export interface ToolOptions {
  readonly cwd: string;
  readonly timeoutMs?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** A non-zero exit code is not a failure. */
  readonly anyExit?: boolean;
  /** Do not switch from root to the owner of the program's files. */
  readonly asCaller?: boolean;
}

/** Environment variable that marks the processes of an upgrade, for {@link endLeftOver}. */
const mark = "UBUNTU_CI_UPGRADE";

/**
 * Runs a tool, by default as the owner of the program's files, and returns its standard output.
 *
 * @throws UbuntuCiError (75) with the end of its output when it fails
 */
export async function runTool(
  { place, journal, signal }: Upgrading,
  argv: readonly string[],
  options: ToolOptions,
): Promise<string> {
  const account = options.asCaller === true ? null : ownerForRoot(place);
  const result = await exec(argv, {
    cwd: options.cwd,
    cleanEnv: true,
    env: {
      ...toolEnvironment(account),
      ...(journal !== undefined && { [mark]: journal.id }),
      ...options.env,
    },
    timeoutMs: options.timeoutMs ?? 10 * minute,
    ...(account !== null && { account }),
    signal,
  });
  if (journal !== undefined)
    await append(
      upgradeLogFile(place),
      withoutPasswords(
        `$ ${argv.join(" ")}\n${result.stdout}${result.stderr}${describeEnd(result)}\n`,
      ),
    );
  const failed =
    options.anyExit === true
      ? result.exitCode === undefined
      : result.exitCode !== 0;
  if (failed) {
    const output = result.stderr.trim() === "" ? result.stdout : result.stderr;
    throw notNow(
      `${argv[0] === process.execPath ? "ubuntu-ci" : argv.slice(0, 2).join(" ")} ${describeEnd(result)}: ${withoutPasswords(lastLines(output, 5))}`,
    );
  }
  return result.stdout;
}

/** Appends to the log. Root must not follow a link that the owner of its folder has put there. */
async function append(log: string, text: string): Promise<void> {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW } = constants;
  const flags = O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW;
  const file = await open(log, flags, 0o640);
  try {
    await file.writeFile(text);
  } finally {
    await file.close();
  }
}

/** The URL of a git remote may contain a password. */
function withoutPasswords(text: string): string {
  return text.replaceAll(/(:\/\/)[^/\s@]+@/g, "$1***@");
}

/** Variables of the caller's environment that git and npm need to reach a remote, a registry or a compiler. */
const ofRemotes =
  /^(?:SUDO_USER|SSH_AUTH_SOCK|GIT_SSH|GIT_SSH_COMMAND|GIT_ASKPASS|GIT_SSL_\w+|GIT_CONFIG_\w+|SSL_CERT_(?:FILE|DIR)|NODE_EXTRA_CA_CERTS|CC|CXX|MAKEFLAGS|npm_config_\w+)$/i;

/** A tool that root runs as another user gets none of root's variables: no agent's socket, no command. */
function toolEnvironment(account: Account | null): Record<string, string> {
  const common = { GIT_TERMINAL_PROMPT: "0" };
  if (account !== null) return { ...environmentOfAccount(account), ...common };
  const own = Object.entries(process.env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && ofRemotes.test(entry[0]),
  );
  return { ...environmentOfTools(), ...Object.fromEntries(own), ...common };
}

export async function git(
  work: Upgrading,
  folder: string,
  args: readonly string[],
): Promise<string> {
  const argv = ["git", "-C", folder, ...args];
  return (await runTool(work, argv, { cwd: folder })).trim();
}

/** Like {@link git}, but null when git fails. */
export async function gitOrNull(
  work: Upgrading,
  folder: string,
  args: readonly string[],
): Promise<string | null> {
  try {
    return await git(work, folder, args);
  } catch (thrown) {
    if (
      thrown instanceof UbuntuCiError &&
      thrown.exitCode === ExitCode.notNow &&
      !work.signal.aborted
    )
      return null;
    throw thrown;
  }
}

/** Kills the processes that a killed upgrade left running: they would interfere with undoing it. */
export async function endLeftOver(id: string): Promise<void> {
  const marked = `\0${mark}=${id}\0`;
  // Empty when the process is gone, or belongs to another user.
  const environmentOf = async (pid: string) =>
    `\0${await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "")}`;
  for (const pid of await readdir("/proc")) {
    if (!/^[0-9]+$/.test(pid)) continue;
    if (!(await environmentOf(pid)).includes(marked)) continue;
    try {
      process.kill(Number(pid), "SIGKILL");
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== "ESRCH")
        throw notNow(
          `process ${pid} of an interrupted upgrade cannot be ended`,
          "end it, and run the upgrade again",
          thrown,
        );
    }
    // A zombie has no environment.
    while ((await environmentOf(pid)).includes(marked)) await setTimeout(20);
  }
}
