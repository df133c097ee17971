import { basename } from "node:path";

import { Command } from "commander";

import { callOptionsOf } from "./call-options.ts";
import { addGlobalOptions, isRemote } from "./global-options.ts";
import { commandName, commands, otherSpelling } from "../commands/index.ts";
import type { CommandTraits } from "./command.ts";
import { topics } from "./command.ts";
import type { CommandContext, GlobalOptions } from "./context.ts";
import { defineCommand } from "./define-command.ts";
import { asOneError, reportError } from "./report-error.ts";
import { runVerb, stopsInMaintenance } from "./run-verb.ts";
import type { EndInPlace } from "../lib/host/exec.ts";
import type { HandedOver } from "../lib/host/hand-over.ts";
import { ExitCode, refused } from "../lib/domain/error.ts";
import type { CallOptions } from "../lib/host/command-line.ts";
import { closeInheritedDescriptors } from "../lib/host/descriptors.ts";
import { printCronMail } from "../lib/host/cron-mail.ts";
import { keepFilesPrivate } from "../lib/host/umask.ts";
import { ignoreClosedOutput, printText } from "../lib/host/output.ts";
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

/** Whether it is told as a document, too. */
let json = false;

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
  json = args.includes("--json");
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
      return runVerb(
        verb,
        own,
        () =>
          makeContext(
            known,
            loaded,
            options,
            verb.reads?.(own) ?? [],
            stopsInMaintenance(verb, own),
            stop.signal,
          ),
        options.json,
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

const report = (thrown: unknown) =>
  reportError(thrown, {
    verbosity,
    json,
    callOptions,
    named: handed?.named ?? ((text) => text),
  });

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
