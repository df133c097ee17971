import { appendFile, readdir, readFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";

import { ExitCode, notNow, UbuntuCiError } from "../../domain/error.ts";
import type { Account } from "../account.ts";
import { describeEnd, exec, lastLines } from "../exec.ts";

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
    await appendFile(
      log,
      withoutPasswords(
        `$ ${argv.join(" ")}\n${result.stdout}${result.stderr}${describeEnd(result)}\n`,
      ),
      { mode: 0o640 },
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

/** A remote's address may hold a password. */
function withoutPasswords(text: string): string {
  return text.replaceAll(/(:\/\/)[^/\s@]+@/g, "$1***@");
}

/** The environment, without what would point git at another repository or make cron's runs silent. */
function toolEnvironment(account: Account | null): Record<string, string> {
  const kept = Object.entries(process.env).filter(
    ([name, value]) =>
      value !== undefined &&
      !/^(?:GIT_(?:DIR|WORK_TREE|INDEX_FILE|OBJECT_DIRECTORY|COMMON_DIR|NAMESPACE|PREFIX)|NODE_OPTIONS|NODE_ENV|UBUNTU_CI_CRON|npm_(?:lifecycle|package)_.*)$/.test(
        name,
      ),
  ) as [string, string][];
  return {
    ...Object.fromEntries(kept),
    GIT_TERMINAL_PROMPT: "0",
    ...(account !== null && {
      HOME: account.home,
      USER: account.name,
      LOGNAME: account.name,
    }),
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
