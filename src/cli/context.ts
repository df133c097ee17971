import { hostname, userInfo } from "node:os";

import type { StepBackends } from "../lib/steps/step-definition.ts";
import { misconfigured } from "../lib/domain/error.ts";
import { oneLine } from "../lib/domain/shown-text.ts";
import type { Engine } from "../lib/engine/engine.ts";
import { warnPerson } from "../lib/host/cron-mail.ts";
import type { Config } from "../lib/config/config.ts";
import { printJson, printLine } from "../lib/host/output.ts";
import type { Connection } from "../lib/state/database.ts";
import type { StatePaths } from "../lib/host/paths.ts";
import type { TicketSystem } from "../lib/tickets/ticket-system.ts";

/** The options every command has. */
export interface GlobalOptions {
  readonly verbosity: 1 | 2 | 3;
  readonly url?: string;
  readonly staging?: boolean;
  readonly config?: string;
  readonly stateDir?: string;
  readonly json?: boolean;
  readonly dryRun?: boolean;
}

/** What a command works with. Everything costly is made when it is asked for, once. */
export interface CommandContext {
  readonly options: GlobalOptions;
  readonly paths: StatePaths;
  readonly config: Config;
  /** `user@host`, for the history. */
  readonly actor: string;
  /** Fires on SIGINT and SIGTERM; running work ends and is recorded as interrupted. */
  readonly signal: AbortSignal;
  /** Where a file that the command was given can be read: itself, or the copy that root handed over. */
  readonly readable: (path: string) => string;
  readonly db: () => Promise<Connection>;
  readonly tickets: () => Promise<TicketSystem>;
  readonly engine: () => Promise<Engine>;
  readonly backends: () => StepBackends;
  /** A result: text for people, or with --json the value as one document. On stdout. */
  readonly result: (text: string, value: unknown) => void;
  /** Narration for verbosity 2 and up, on stderr. */
  readonly say: (line: string) => void;
  /** Loud, whatever the verbosity, on stderr. */
  readonly warn: (line: string) => void;
  /** Sets what the process will exit with when the command has returned. */
  readonly exit: (code: number) => void;
}

/** Who acts, for the history: `user@host`; the person behind sudo, not the account it became. */
export function actorName(): string {
  const person = process.env["SUDO_USER"] ?? "";
  return `${person === "" ? userInfo().username : person}@${hostname()}`;
}

/** Makes the context of one command. */
export function createContext(
  options: GlobalOptions,
  paths: StatePaths,
  config: Config,
  signal: AbortSignal,
  readable: (path: string) => string = (path) => path,
): CommandContext {
  const actor = actorName();
  const say = (line: string) => {
    if (options.verbosity >= 2) printLine("stderr", oneLine(line));
  };
  let backends: StepBackends | undefined;
  const openBackends = (): StepBackends =>
    (backends ??= lazyBackends(paths, config));
  const db = once(async () => {
    const { openDatabase } = await import("../lib/state/database.ts");
    return openDatabase(paths.database);
  });
  const engine = once(async (): Promise<Engine> => {
    const { localStore } = await import("../lib/backends/store/local-store.ts");
    return {
      db: await db(),
      paths,
      config,
      actor,
      store: localStore(paths.store),
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
    warn: (line) => warnPerson(`warning: ${oneLine(line)}`),
    result(text, value) {
      if (options.json === true) printJson(value, 2);
      else if (text !== "") printLine("stdout", text);
    },
    exit(code) {
      process.exitCode = code;
    },
    backends: openBackends,
    db,
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
  const load = () => import("../lib/backends/backends.ts");
  return {
    builder: once(async () => (await load()).createBuilder(paths, config)),
    imager: once(async () => (await load()).createImager(paths, config)),
    tester: once(async () => (await load()).createTester(paths, config)),
    archive: once(async () => (await load()).createArchive(paths, config)),
  };
}
