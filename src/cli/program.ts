import { basename } from "node:path";
import { setImmediate } from "node:timers/promises";

import { Command } from "commander";

import { callOptionsOf } from "./call-options.ts";
import { addGlobalOptions, isRemote } from "./global-options.ts";
import { commandName, commands, otherSpelling } from "../commands/index.ts";
import type { CommandTraits } from "./command.ts";
import type { Verb } from "./command.ts";
import { topics } from "./command.ts";
import type { CommandContext, GlobalOptions } from "./context.ts";
import { defineCommand } from "./define-command.ts";
import { asOneError, reportError } from "./report-error.ts";
import { interruptionOf, runVerb, stopsInMaintenance } from "./run-verb.ts";
import type { EndInPlace } from "../lib/host/exec.ts";
import type { HandedOver } from "../lib/host/hand-over.ts";
import {
  ExitCode,
  interrupted,
  refused,
  UbuntuCiError,
} from "../lib/domain/error.ts";
import type { CallOptions } from "../lib/host/command-line.ts";
import { adviceText } from "../lib/host/command-line.ts";
import { printCronMail, underCron } from "../lib/host/cron-mail.ts";
import { printLine, printText } from "../lib/host/output.ts";
import { version } from "../version.ts";

/**
 * Index of the command's name: the first word that is neither an option nor the value of a global one;
 * -1 if there is none.
 */
function findCommand(program: Command, args: readonly string[]): number {
  for (let index = 0; index < args.length; index += 1) {
    const arg = args[index] ?? "";
    const option = program.options.find(({ short, long }) =>
      [short, long].includes(arg),
    );
    if (option?.required === true) index += 1;
    else if (!arg.startsWith("-")) return index;
  }
  return -1;
}

/** The global options, wherever on the line they stand, with defaults for the rest. */
function givenOptions(action: Command): GlobalOptions {
  const line: Command[] = [];
  for (
    let command: Command | null = action;
    command !== null;
    command = command.parent
  )
    line.unshift(command);
  const given = line.flatMap((command) =>
    Object.entries(command.opts()).filter(
      ([key]) => command.getOptionValueSource(key) !== "default",
    ),
  );
  return {
    ...action.opts<GlobalOptions>(),
    ...Object.fromEntries(given),
  };
}

function speaksToTickets(verb: string): boolean {
  const entry = commands[commandName(verb.split(" ", 1)[0] ?? "") ?? ""];
  return (
    entry !== undefined &&
    (entry.speaksTo ?? topics[entry.topic].speaksTo) === "tickets"
  );
}

const exitCodeOf = (thrown: unknown): ExitCode | undefined =>
  thrown instanceof UbuntuCiError ? thrown.exitCode : undefined;

/** One call of the program: a command line, and what becomes known of it as it is carried out. */
export class ProgramCall {
  readonly #signal: AbortSignal;
  readonly #endAs: (ended: EndInPlace) => void;
  /** What root passed on when it started this process as the state folder's owner. */
  #handed: HandedOver | undefined;
  /** The command, and where the warnings given under cron are recorded. */
  #warnings: { command: string; run?: string } = { command: "ubuntu-ci" };
  /** Options that suggested commands need to address the same target; known once the line is parsed. */
  #callOptions: CallOptions = () => [];
  /** Detail of error messages; the default holds until the command line is parsed. */
  #verbosity: GlobalOptions["verbosity"] = 1;
  #json = false;
  #finish = () => {};
  #context: CommandContext | undefined;
  #verb: Verb | undefined;
  #toldInterruption = false;
  #toldNotWritten = false;
  /** Root has started this process anew as the state folder's owner, and waits for it. */
  isElsewhere = false;

  /**
   * @param signal aborted when the work has to stop
   * @param endAs ends this process in the same way as the child that ran in its place
   */
  constructor(signal: AbortSignal, endAs: (ended: EndInPlace) => void) {
    this.#signal = signal;
    this.#endAs = endAs;
  }

  /**
   * Runs a command line, reports what goes wrong, and sets the process's exit code.
   *
   * @param argv as a process has it, with two words before its arguments
   */
  async run(argv: readonly string[]): Promise<void> {
    try {
      await this.#parse(argv);
    } catch (thrown) {
      // Waiting for the state file holds signals up: one that came meanwhile is told first.
      await setImmediate();
      await this.report(this.#signal.aborted ? this.#endOf(thrown) : thrown);
    } finally {
      this.#finish();
    }
    // The log is written in a microtask after the last commit, and may warn too.
    await Promise.resolve();
    this.printWarnings();
  }

  /** Closes what the call opened, in a process that does not end with it. */
  close(): void {
    this.#context?.close();
  }

  /** Whether the command line changes something, as far as is known. */
  get changes(): boolean {
    return this.#verb?.changes === true;
  }

  /** Says at once that a signal was noticed, and what it leaves behind. */
  tellInterruption(): void {
    const stays = this.#verb === undefined ? null : interruptionOf(this.#verb);
    if (stays === null || underCron) return;
    this.#toldInterruption = true;
    const how = adviceText(stays, this.#callOptions);
    printLine("stderr", `ubuntu-ci: interrupted, stopping: ${how}`);
  }

  /** The error of a command that a signal ended: what its tools said of that is no news. */
  #endOf(thrown: unknown): unknown {
    if (
      thrown instanceof UbuntuCiError &&
      (this.#verb?.endsItself === true || thrown.exitCode !== ExitCode.notNow)
    )
      return thrown;
    if (this.#toldInterruption && !this.#json) {
      process.exitCode = ExitCode.notNow;
      return undefined;
    }
    return interrupted(
      (this.#verb === undefined ? null : interruptionOf(this.#verb)) ?? "",
    );
  }

  /** Reports an error on stderr and sets the process's exit code. */
  async report(thrown: unknown): Promise<void> {
    if (thrown === undefined) return;
    if (exitCodeOf(thrown) === ExitCode.notWritten) {
      // Both the stream and whoever waits for it may tell.
      if (this.#toldNotWritten) return;
      this.#toldNotWritten = true;
    } else if (this.#toldNotWritten && thrown instanceof UbuntuCiError) {
      // That interrupted it: what follows from that is no news.
      return;
    }
    return reportError(thrown, {
      verbosity: this.#verbosity,
      json: this.#json,
      callOptions: this.#callOptions,
      named: this.#handed?.named ?? ((text) => text),
    });
  }

  /** Under cron: prints the warnings that were held until now. */
  printWarnings(): void {
    printCronMail(this.#warnings.run, this.#warnings.command);
  }

  async #makeContext(
    name: string,
    { state, staysCaller = false, tellsModes = false }: CommandTraits,
    options: GlobalOptions,
    reads: readonly string[],
    stops: boolean,
  ): Promise<CommandContext> {
    const { stateDir, statePaths } = await import("../lib/host/paths.ts");
    const { isRoot } = await import("../lib/host/account.ts");
    const { requireFolder } = await import("../lib/files/make-folder.ts");
    const { enterCallersFolder, fromRoot } =
      await import("../lib/host/callers-folder.ts");
    const paths = statePaths(stateDir(options.stateDir));
    const remote = isRemote(options);
    if (remote && !speaksToTickets(name))
      throw refused(
        `${name} works on the installation on this machine, not on a ticket system elsewhere`,
        `leave out ${options.url === undefined ? "--staging" : "--url"}; --state-dir names another installation`,
      );
    if (!remote && state !== "none" && state !== "diagnosed")
      requireFolder(paths.root);
    if (isRoot() && !staysCaller) {
      const { stateOwner } = await import("../lib/host/account.ts");
      const owner = await stateOwner(
        paths.root,
        (state === "begun" || state === "restored") &&
          options.dryRun !== true &&
          !remote,
      );
      if (owner !== undefined) {
        const { continueAs } = await import("../lib/host/become.ts");
        this.isElsewhere = true;
        this.#endAs(await continueAs(owner, paths.root, reads, this.#signal));
        return new Promise(() => undefined);
      }
    }
    const { actorName, createContext } = await import("./context.ts");
    const { loadConfig, noConfig } = await import("../lib/config/config.ts");
    enterCallersFolder();
    if (!remote && state !== "none") {
      const {
        requireArchive,
        requireNothingElse,
        requireOwnState,
        requireSomeState,
        requireState,
      } = await import("../lib/locks/state-folder.ts");
      if (!(staysCaller && isRoot())) requireOwnState(paths);
      if (state === undefined) {
        requireState(paths);
        requireArchive(paths);
      }
      if (state === "damaged") requireSomeState(paths);
      if (state === "begun") requireNothingElse(paths);
    }
    if (typeof fromRoot?.copies === "string") {
      const { handedOver } = await import("../lib/host/hand-over.ts");
      this.#handed = handedOver(fromRoot.copies, reads);
    }
    this.#warnings = { command: name, run: paths.run };
    if (!remote && options.dryRun !== true && !tellsModes) {
      const { putModesRight } = await import("../lib/host/state-modes.ts");
      putModesRight(paths.root);
      // The command may create the first files of a state; their modes are corrected at the end.
      this.#finish = () => putModesRight(paths.root);
    }
    if (stops && options.dryRun !== true && !remote) {
      const { mayBeInMaintenance } = await import("../lib/locks/toggle.ts");
      if (mayBeInMaintenance(paths)) {
        const { stopInMaintenance } =
          await import("../lib/upkeep/maintenance-guard.ts");
        await stopInMaintenance(paths, actorName(), name);
      }
    }
    this.#context = createContext(
      options,
      paths,
      // The configuration may belong to another user, whom root must not trust.
      staysCaller ? noConfig() : await loadConfig(options.config, paths.root),
      this.#signal,
      this.#callOptions,
      this.#handed?.copyOf,
      state,
    );
    return this.#context;
  }

  async #parse(argv: readonly string[]): Promise<void> {
    const invokedAs = commandName(basename(argv[1] ?? ""));
    const args =
      invokedAs === undefined ? argv.slice(2) : [invokedAs, ...argv.slice(2)];
    this.#json = args.includes("--json");
    const program = new Command("ubuntu-ci")
      .description(
        "From a signed Debian source upload to a built, tested and published package.",
      )
      .version(version, "--version", "print the version")
      .helpOption("-h, --help", "show this help")
      .helpCommand(false)
      .showHelpAfterError("(--help shows what there is)")
      .enablePositionalOptions()
      .configureOutput({
        writeOut: (text) => printText("stdout", text),
        writeErr: (text) => printText("stderr", text),
        outputError: (text, write) => write(asOneError(text)),
      })
      .exitOverride();
    addGlobalOptions(program);
    // Global options such as -v may stand on either side of the command's name.
    let position = findCommand(program, args);
    // `help X` is `X --help`.
    if (args[position] === "help") {
      args.splice(position, 1);
      position = findCommand(program, args);
      const about = args[position];
      if (about !== undefined && commandName(about) === undefined) {
        const { helpAbout } = await import("./help-about.ts");
        const text = helpAbout(about, commands);
        if (text !== undefined) {
          printLine("stdout", text);
          return;
        }
      } else args.push("--help");
    }
    const typed = position < 0 ? undefined : args[position];
    const name = typed === undefined ? undefined : commandName(typed);
    for (const [known, entry] of Object.entries(commands)) {
      // The other commands are needed only for help and for suggestions about an unknown name.
      if (name !== undefined && known !== name) continue;
      const command = program
        .command(known)
        .description(entry.summary)
        .helpGroup(topics[entry.topic].heading)
        .exitOverride();
      const alias = otherSpelling(known);
      if (alias !== known) command.alias(alias);
      command.showHelpAfterError("(--help shows what there is)");
      if (name === undefined) continue;
      const { command: loaded } = await entry.load();
      defineCommand(command, loaded, (verb, action, own) => {
        const options = givenOptions(action);
        this.#verbosity = options.verbosity;
        this.#callOptions = callOptionsOf(options, speaksToTickets);
        this.#verb = verb;
        return runVerb(
          known,
          verb,
          own,
          () =>
            this.#makeContext(
              known,
              loaded,
              options,
              verb.reads?.(own) ?? [],
              stopsInMaintenance(verb, own),
            ),
          options.json,
        );
      });
    }
    if (
      typed === undefined &&
      args.every(
        (arg) => arg !== "--version" && arg !== "-h" && arg !== "--help",
      )
    ) {
      if (this.#json)
        throw refused("no command was named", "--help shows what there is");
      program.outputHelp({ error: true });
      process.exitCode = ExitCode.refused;
      return;
    }
    const given = [...args];
    // Global options before the command's name apply to it as well.
    if (name !== undefined && position > 0) {
      given.splice(
        0,
        given.length,
        args[position] ?? "",
        ...args.slice(0, position),
        ...args.slice(position + 1),
      );
    }
    await program.parseAsync(given, { from: "user" });
  }
}
