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

/** How tools are run on the program's files: as who, where they write, when to stop. */
export interface Tools {
  /** Root runs tools as who owns the program; null: as this process. */
  readonly account: Account | null;
  readonly log: string | null;
  /** The upgrade they are part of: it is in their environment, and in that of all that they start. */
  readonly id: string | null;
  readonly signal?: AbortSignal;
}

export const minute = 60_000;

/** Environment variable that tells what belongs to an upgrade, wherever it was left behind. */
const mark = "UBUNTU_CI_UPGRADE";

/**
 * Runs a tool on the program's files and returns what it printed; the log has it too.
 *
 * @throws UbuntuCiError (75) with the end of its output when it fails
 */
export async function runTool(
  tools: Tools,
  argv: readonly string[],
  options: {
    readonly cwd: string;
    readonly timeoutMs?: number;
    readonly env?: Readonly<Record<string, string>>;
    /** Its exit code says something, and is no failure. */
    readonly anyExit?: boolean;
  },
): Promise<string> {
  const { account, log, signal } = tools;
  const result = await exec(argv, {
    cwd: options.cwd,
    cleanEnv: true,
    env: {
      ...toolEnvironment(account),
      ...(tools.id !== null && { [mark]: tools.id }),
      ...options.env,
    },
    timeoutMs: options.timeoutMs ?? 10 * minute,
    ...(account !== null && { account }),
    ...(signal !== undefined && { signal }),
  });
  if (log !== null)
    await append(
      log,
      withoutPasswords(
        `$ ${argv.join(" ")}\n${result.stdout}${result.stderr}${describeEnd(result)}\n`,
      ),
    );
  if (
    result.exitCode !== 0 &&
    !(options.anyExit === true && result.exitCode !== undefined)
  ) {
    const said = result.stderr.trim() === "" ? result.stdout : result.stderr;
    throw new UbuntuCiError(
      `${argv[0] === process.execPath ? "ubuntu-ci" : argv.slice(0, 2).join(" ")} ${describeEnd(result)}: ${withoutPasswords(lastLines(said, 5))}`,
      { exitCode: ExitCode.notNow },
    );
  }
  return result.stdout;
}

/** Root writes in a folder of whom the program belongs to, who may have put a link there. */
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

/** A remote's address may hold a password. */
function withoutPasswords(text: string): string {
  return text.replaceAll(/(:\/\/)[^/\s@]+@/g, "$1***@");
}

/** What git and npm may be told of the caller's: how to reach a remote, a registry, a compiler. */
const ofRemotes =
  /^(?:SUDO_USER|SSH_AUTH_SOCK|GIT_SSH|GIT_SSH_COMMAND|GIT_ASKPASS|GIT_SSL_\w+|GIT_CONFIG_\w+|SSL_CERT_(?:FILE|DIR)|NODE_EXTRA_CA_CERTS|CC|CXX|MAKEFLAGS|npm_config_\w+)$/i;

/**
 * The environment of an upgrade's tools. As another user they have none of root's own: an agent's
 * socket or a command of root's is not for them.
 */
function toolEnvironment(account: Account | null): Record<string, string> {
  const own =
    account === null
      ? Object.entries(process.env).filter(
          (entry): entry is [string, string] =>
            entry[1] !== undefined && ofRemotes.test(entry[0]),
        )
      : [];
  return {
    ...(account === null
      ? environmentOfTools()
      : environmentOfAccount(account)),
    ...Object.fromEntries(own),
    GIT_TERMINAL_PROMPT: "0",
  };
}

export async function git(
  tools: Tools,
  folder: string,
  ...args: string[]
): Promise<string> {
  return (
    await runTool(tools, ["git", "-C", folder, ...args], { cwd: folder })
  ).trim();
}

export async function gitOrNull(
  tools: Tools,
  folder: string,
  ...args: string[]
): Promise<string | null> {
  try {
    return await git({ ...tools, log: null }, folder, ...args);
  } catch (thrown) {
    if (
      thrown instanceof UbuntuCiError &&
      thrown.exitCode === ExitCode.notNow &&
      tools.signal?.aborted !== true
    )
      return null;
    throw thrown;
  }
}

/** Ends what a killed upgrade left running: it would go on changing what is put right now. */
export async function endLeftOver(id: string): Promise<void> {
  for (const pid of await readdir("/proc")) {
    if (!/^[0-9]+$/.test(pid)) continue;
    const marked = `${mark}=${id}\0`;
    const environment = await readFile(`/proc/${pid}/environ`, "utf8").catch(
      () => "", // gone, or of another user
    );
    if (!`\0${environment}`.includes(`\0${marked}`)) continue;
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
    // Once it is dead its environment is gone, even while nobody has waited for it.
    while (
      (await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "")).includes(
        marked,
      )
    )
      await setTimeout(20);
  }
}
