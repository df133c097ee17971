import { basename } from "node:path";

import { Command, CommanderError } from "commander";

import { callOptionsOf } from "./call-options.ts";
import { addGlobalOptions, isRemote } from "./global-options.ts";
import { commandName, commands, otherSpelling } from "../commands/index.ts";
import type { CommandTraits } from "./command.ts";
import { topics } from "./command.ts";
import type { CommandContext, GlobalOptions } from "./context.ts";
import { defineCommand } from "./define-command.ts";
import { runVerb, stopsInMaintenance } from "./run-verb.ts";
import type { EndInPlace } from "../lib/host/exec.ts";
import type { HandedOver } from "../lib/host/hand-over.ts";
import {
  ExitCode,
  messageOf,
  refused,
  troubleOfMachine,
  UbuntuCiError,
} from "../lib/domain/error.ts";
import { oneLine } from "../lib/domain/shown-text.ts";
import type { CallOptions } from "../lib/host/command-line.ts";
import { adviceText } from "../lib/host/command-line.ts";
import { closeInheritedDescriptors } from "../lib/host/descriptors.ts";
import { warnPerson, printCronMail, underCron } from "../lib/host/cron-mail.ts";
import { keepFilesPrivate } from "../lib/host/umask.ts";
import type { Coloured } from "../lib/host/output.ts";
import {
  hasColour,
  ignoreClosedOutput,
  printText,
} from "../lib/host/output.ts";
import { version } from "../version.ts";

keepFilesPrivate();
// Before anything is started that would have them, too.
closeInheritedDescriptors();

/**
 * Where the command's name is on the command line: the first word that is neither an option nor the
 * value of one of the program's; -1 without one.
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

/** The options given anywhere on the line, and the defaults of the rest. */
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

/** What root handed over, when it started this as the state folder's owner. */
let handed: HandedOver | undefined;

/** Which command this is and where it remembers what it warned of, for cron. */
let warnings: { command: string; run?: string } = { command: "ubuntu-ci" };

/** With what options the commands of a hint work on the same as this one: known once the line was read. */
let callOptions: CallOptions = () => [];

/** How much to say of an error: as given, once the command line was read. */
let verbosity: GlobalOptions["verbosity"] = 1;

function speaksToTickets(verb: string): boolean {
  const entry = commands[commandName(verb.split(" ", 1)[0] ?? "") ?? ""];
  return entry !== undefined && topics[entry.topic].speaksTo === "tickets";
}

async function makeContext(
  name: string,
  { state, staysCaller = false, tellsModes = false }: CommandTraits,
  options: GlobalOptions,
  reads: readonly string[],
  stops: boolean,
  signal: AbortSignal,
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
      endAs(await continueAs(owner, paths.root, reads, signal));
      return new Promise(() => undefined);
    }
  }
  const { actorName, createContext } = await import("./context.ts");
  const { loadConfig, noConfig } = await import("../lib/config/config.ts");
  enterCallersFolder();
  if (!remote && state !== "none") {
    const { requireNothingElse, requireOwnState, requireState } =
      await import("../lib/locks/state-folder.ts");
    if (!(staysCaller && isRoot())) requireOwnState(paths);
    if (state === undefined) requireState(paths);
    if (state === "begun") requireNothingElse(paths);
  }
  if (typeof fromRoot?.copies === "string") {
    const { handedOver } = await import("../lib/host/hand-over.ts");
    handed = handedOver(fromRoot.copies, reads);
  }
  warnings = { command: name, run: paths.run };
  if (!remote && options.dryRun !== true && !tellsModes) {
    const { putModesRight } = await import("../lib/host/state-modes.ts");
    putModesRight(paths.root);
    // A state that this command is the first to make something in gets its own mode at the end.
    finish = () => putModesRight(paths.root);
  }
  if (stops && options.dryRun !== true && !remote) {
    const { mayBeInMaintenance } = await import("../lib/locks/toggle.ts");
    if (mayBeInMaintenance(paths)) {
      const { stopInMaintenance } = await import("./maintenance-guard.ts");
      await stopInMaintenance(paths, actorName(), name);
    }
  }
  return createContext(
    options,
    paths,
    // The configuration may be another user's, whom root shall not believe.
    staysCaller ? noConfig() : await loadConfig(options.config, paths.root),
    signal,
    callOptions,
    handed?.copyOf,
  );
}

let finish = () => {};

/** Ends as the program did that ran in this one's place. */
function endAs(ended: EndInPlace): void {
  if ("exitCode" in ended) process.exit(ended.exitCode);
  // Whoever waits for this process is told what it was; a stopping signal could not be told from it.
  process.removeAllListeners(ended.signal);
  process.kill(process.pid, ended.signal);
}

async function run(argv: readonly string[]): Promise<void> {
  const invokedAs = commandName(basename(argv[1] ?? ""));
  const args =
    invokedAs === undefined ? argv.slice(2) : [invokedAs, ...argv.slice(2)];
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
  // A word like -v may stand on either side of the command's name.
  let position = findCommand(program, args);
  // `help X` is X with --help; a command called help there is none.
  if (args[position] === "help") {
    args.splice(position, 1);
    position = findCommand(program, args);
    const about = args[position];
    if (about === undefined || commandName(about) !== undefined)
      args.push("--help");
  }
  const typed = position < 0 ? undefined : args[position];
  const name = typed === undefined ? undefined : commandName(typed);
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      stop.abort();
    });
  }
  for (const [known, entry] of Object.entries(commands)) {
    // The others only matter to help and to a name that is none.
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
      ({ verbosity } = options);
      callOptions = callOptionsOf(options, speaksToTickets);
      return runVerb(verb, own, () =>
        makeContext(
          known,
          loaded,
          options,
          verb.reads?.(own) ?? [],
          stopsInMaintenance(verb, own),
          stop.signal,
        ),
      );
    });
  }
  if (
    typed === undefined &&
    args.every((arg) => arg !== "--version" && arg !== "-h" && arg !== "--help")
  ) {
    program.outputHelp({ error: true });
    process.exitCode = ExitCode.refused;
    return;
  }
  const given = [...args];
  // Global options before the command's name belong to it as well.
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

/** The program's name before an error: red where a person reads it. */
async function nameInRed(): Promise<string | Coloured> {
  if (!hasColour("stderr")) return "ubuntu-ci";
  const { chalkStderr } = await import("chalk");
  return { text: "ubuntu-ci", colour: chalkStderr.red.bold };
}

/** An error's lines, the further ones indented: no text in it passes for another error. */
function asOneError(text: string): string {
  return text.replaceAll(/\r?\n(?! {2}|$)/g, "\n  ");
}

async function printError(lines: readonly string[]): Promise<void> {
  warnPerson([await nameInRed(), `: ${asOneError(lines.join("\n"))}`]);
}

async function report(caught: unknown): Promise<void> {
  const thrown = troubleOfMachine(caught) ?? caught;
  if (thrown instanceof CommanderError) {
    // commander has printed its message already; help and version are no errors.
    process.exitCode = thrown.exitCode === 0 ? ExitCode.ok : ExitCode.refused;
    return;
  }
  const verbose = verbosity === 3;
  const named = handed?.named ?? ((text: string) => text);
  if (thrown instanceof UbuntuCiError) {
    process.exitCode = thrown.exitCode;
    if (thrown.routine && underCron) return;
    const lines = [named(thrown.message)];
    for (const { where, field, message } of thrown.problems)
      lines.push(
        `  ${oneLine(`${named(where)}${field === undefined ? "" : `: ${field}`}: ${adviceText(message, callOptions)}`)}`,
      );
    if (thrown.hint !== undefined)
      lines.push(`  ${adviceText(thrown.hint, callOptions)}`);
    if (verbose && thrown.cause instanceof Error)
      lines.push(thrown.cause.stack ?? "");
    await printError(lines);
    return;
  }
  const lines = [
    `a bug of ubuntu-ci: ${messageOf(thrown)}`,
    "  run it again with --verbosity 3 and report what it prints, with the version (ubuntu-ci --version)",
  ];
  if (verbose && thrown instanceof Error) lines.push(thrown.stack ?? "");
  await printError(lines);
  process.exitCode = ExitCode.bug;
}

ignoreClosedOutput();
// Node would print it as it is.
process.on("uncaughtException", (thrown) => {
  void report(thrown).finally(() => {
    printCronMail(warnings.run, warnings.command);
    process.exit();
  });
});

async function main(): Promise<void> {
  try {
    await run(process.argv);
  } catch (thrown) {
    await report(thrown);
  } finally {
    finish();
  }
  // The log of what was recorded last is written in a microtask; it may warn as well.
  await Promise.resolve();
  printCronMail(warnings.run, warnings.command);
}

void main();
