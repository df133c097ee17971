import { hostname, userInfo } from "node:os";

import type { BackendKind } from "../lib/backends/kinds.ts";
import type { StepBackends } from "../lib/steps/step-definition.ts";
import { misconfigured } from "../lib/domain/error.ts";
import { withoutMilliseconds } from "../lib/domain/age.ts";
import { oneLine } from "../lib/domain/shown-text.ts";
import type { LocalStore } from "../lib/backends/store/store.ts";
import type { LocalEngine } from "../lib/engine/engine.ts";
import type { CommandTraits } from "./command.ts";
import type { CallOptions } from "../lib/host/command-line.ts";
import { adviceText } from "../lib/host/command-line.ts";
import type { Advice } from "../lib/domain/remedy.ts";
import { warnPerson } from "../lib/host/cron-mail.ts";
import type { Config } from "../lib/config/config.ts";
import { printJson, printLine } from "../lib/host/output.ts";
import type { Connection } from "../lib/state/database.ts";
import type { StatePaths } from "../lib/host/paths.ts";
import type { TicketSystem } from "../lib/tickets/ticket-system.ts";

export interface GlobalOptions {
  readonly verbosity: 1 | 2 | 3;
  readonly url?: string;
  readonly staging?: boolean;
  readonly config?: string;
  readonly stateDir?: string;
  readonly json?: boolean;
  readonly dryRun?: boolean;
}

/** What a command works with. Expensive members are created once, on first use. */
export interface CommandContext {
  readonly options: GlobalOptions;
  readonly paths: StatePaths;
  readonly config: Config;
  /** `user@host`, for the history. */
  readonly actor: string;
  /** Aborted on SIGINT and SIGTERM; the running work stops and is recorded as interrupted. */
  readonly signal: AbortSignal;
  /** Where a file named on the command line can be read: the file itself, or the copy that root passed on. */
  readonly readable: (path: string) => string;
  readonly db: () => Promise<Connection>;
  readonly tickets: () => Promise<TicketSystem>;
  readonly engine: () => Promise<LocalEngine>;
  readonly store: () => Promise<LocalStore>;
  readonly backends: () => StepBackends;
  /** Prints a result on stdout: the text, or with --json the value as one document. */
  readonly result: (text: string, value: unknown) => void;
  /** Narration, on stderr, from verbosity 2. */
  readonly say: (line: Advice) => void;
  /** A warning, on stderr, at any verbosity. */
  readonly warn: (line: Advice) => void;
  /** Renders advice; the commands in it address the same target as this one. */
  readonly text: (advice: Advice) => string;
  /** Sets the exit code of the process. */
  readonly exit: (code: number) => void;
  /** Closes the state file, if it was opened. */
  readonly close: () => void;
}

/** Who acts, for the history: `user@host`. Under sudo it is the person, not the target account. */
export function actorName(): string {
  const person = process.env["SUDO_USER"] ?? "";
  return `${person === "" ? userInfo().username : person}@${hostname()}`;
}

/** @param state how the command depends on the state: whether it makes it, or minds damage */
export function createContext(
  options: GlobalOptions,
  paths: StatePaths,
  config: Config,
  signal: AbortSignal,
  callOptions: CallOptions,
  readable: (path: string) => string = (path) => path,
  state?: CommandTraits["state"],
): CommandContext {
  const actor = actorName();
  const text = (advice: Advice) => adviceText(advice, callOptions);
  const forPeople = (line: Advice) => withoutMilliseconds(text(line));
  const say = (line: Advice) => {
    if (options.verbosity >= 2) printLine("stderr", oneLine(forPeople(line)));
  };
  let backends: StepBackends | undefined;
  const openBackends = (): StepBackends =>
    (backends ??= lazyBackends(paths, config));
  let opened: Connection | undefined;
  const db = once(async () => {
    const { makeDatabase, openDatabase } =
      await import("../lib/state/database.ts");
    const open = state === "begun" ? makeDatabase : openDatabase;
    return (opened = open(paths.database));
  });
  const store = once(async (): Promise<LocalStore> => {
    const { localStore } = await import("../lib/backends/store/local-store.ts");
    return localStore(paths.store, config.get("store.url"));
  });
  const engine = once(async (): Promise<LocalEngine> => {
    const opened = await db();
    if (state === undefined || state === "begun") {
      const { requireNewestRevision } =
        await import("../lib/engine/require-archive.ts");
      await requireNewestRevision(opened, paths);
    }
    return {
      db: opened,
      paths,
      config,
      actor,
      store: await store(),
      backends: openBackends(),
    };
  });
  return {
    options,
    paths,
    config,
    actor,
    signal,
    readable,
    say,
    warn: (line) => warnPerson(`warning: ${oneLine(forPeople(line))}`),
    text,
    result(lines, value) {
      if (options.json === true) printJson(value, 2);
      else if (lines !== "") printLine("stdout", withoutMilliseconds(lines));
    },
    exit(code) {
      process.exitCode = code;
    },
    close() {
      opened?.close();
    },
    backends: openBackends,
    db,
    store,
    engine,
    tickets: once(async () => {
      const url =
        options.url ??
        (options.staging === true ? stagingUrl(config) : undefined);
      if (url !== undefined)
        return (await import("../lib/tickets/remote.ts")).remoteTicketSystem(
          url,
        );
      const { localTicketSystem } = await import("../lib/tickets/local.ts");
      return localTicketSystem({
        db: await db(),
        paths,
        config,
        actor,
        store,
        engine,
      });
    }),
  };
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}

function stagingUrl(config: Config): string {
  const url = config.get("staging.url");
  if (url === null)
    throw misconfigured(
      "no staging system is configured",
      "set `staging.url`, or name one with --url",
    );
  return url;
}

function lazyBackends(paths: StatePaths, config: Config): StepBackends {
  const load = () => import("../lib/backends/kinds.ts");
  type AllKinds = Awaited<ReturnType<typeof load>>;
  const open = <B>(chosen: (kinds: AllKinds) => BackendKind<B>) =>
    once(async () => chosen(await load()).open(paths, config));
  return {
    builder: open((kinds) => kinds.builderOf(config)),
    imager: open((kinds) => kinds.imagerOf(config)),
    tester: open((kinds) => kinds.testerOf(config)),
    pool: open((kinds) => kinds.poolOf(config)),
    archive: open((kinds) => kinds.archiveOf(config)),
    distribution: open((kinds) => kinds.distributionOf(config)),
  };
}
