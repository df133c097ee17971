import { basename } from "node:path";

import { Command, CommanderError } from "commander";

import { addGlobalOptions } from "./commands/global-options.ts";
import { commandName, commands, otherSpelling } from "./commands/index.ts";
import type { CommandContext, GlobalOptions } from "./commands/context.ts";
import type { HandedOver } from "./lib/host/hand-over.ts";
import {
  ExitCode,
  messageOf,
  troubleOfMachine,
  UbuntuCiError,
} from "./lib/domain/error.ts";
import { complain, printComplaints, underCron } from "./lib/host/complaints.ts";
import { version } from "./version.ts";

/** Options with a value that may stand before the command's name. */
const valued = new Set([
  "-v",
  "--verbosity",
  "-u",
  "--url",
  "--config",
  "--state-dir",
]);

/** The command's name on the command line: the first word that is no option and no option's value. */
function findCommand(args: readonly string[]): number {
  for (let index = 0; index < args.length; index += 1) {
    const arg = args[index] ?? "";
    if (valued.has(arg)) index += 1;
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

/** What root handed over to the state folder's owner, whom it became. */
let handed: HandedOver | undefined;

/** Which command this is and where it remembers what it complained about, for cron. */
let complaining: { command: string; run?: string } = { command: "ubuntu-ci" };

async function makeContext(
  name: string,
  action: Command,
  signal: AbortSignal,
  reads: readonly string[],
  staysCaller: boolean,
): Promise<CommandContext> {
  const options = givenOptions(action);
  const { stateDir, statePaths } = await import("./lib/host/paths.ts");
  const { loadConfig } = await import("./lib/host/config.ts");
  const { actorName, createContext } = await import("./commands/context.ts");
  const { become, stateOwner } = await import("./lib/host/account.ts");
  const { requireFolder } = await import("./lib/host/make-folder.ts");
  const paths = statePaths(stateDir(options.stateDir));
  const remote = options.url !== undefined || options.staging === true;
  // Doctor has more to say than that.
  if (!remote && name !== "doctor") requireFolder(paths.root);
  const owner = staysCaller ? undefined : stateOwner(paths.root);
  if (owner !== undefined) {
    if (reads.length > 0) {
      const { handOver } = await import("./lib/host/hand-over.ts");
      handed = await handOver(reads, owner);
    }
    become(owner, paths.root);
  }
  complaining = { command: name, run: paths.run };
  if (doesChange(name, action) && options.dryRun !== true && !remote) {
    const { mayBeInMaintenance } = await import("./lib/host/toggle.ts");
    if (mayBeInMaintenance(paths)) {
      const { stopInMaintenance } =
        await import("./commands/maintenance-guard.ts");
      await stopInMaintenance(paths, actorName(), name);
    }
  }
  return createContext(
    options,
    paths,
    await loadConfig(options.config),
    signal,
    handed?.copyOf,
  );
}

function doesChange(name: string, action: Command): boolean {
  const changes = commands[name]?.changes ?? false;
  return typeof changes === "boolean"
    ? changes
    : changes.includes(action.name());
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
    .exitOverride();
  addGlobalOptions(program);
  // A word like -v may stand on either side of the command's name.
  const position = findCommand(args);
  const typed = position < 0 ? undefined : args[position];
  const name = typed === undefined ? undefined : commandName(typed);
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      stop.abort();
    });
  }
  let action = program;
  program.hook("preAction", (_program, chosen) => {
    action = chosen;
  });
  for (const [known, entry] of Object.entries(commands)) {
    // The others only matter to help and to a name that is none.
    if (name !== undefined && known !== name) continue;
    const command = program
      .command(known)
      .description(entry.summary)
      .exitOverride();
    const alias = otherSpelling(known);
    if (alias !== known) command.alias(alias);
    command
      .helpOption("-h, --help", "show this help")
      .showHelpAfterError("(--help shows what there is)");
    if (name === undefined) continue;
    addGlobalOptions(command);
    const loaded = await entry.load();
    loaded.command.define(command, (reads = []) =>
      makeContext(
        known,
        action,
        stop.signal,
        reads,
        entry.staysCaller === true,
      ),
    );
    for (const verb of command.commands) {
      addGlobalOptions(verb)
        .helpOption("-h, --help", "show this help")
        .exitOverride();
    }
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
async function nameInRed(): Promise<string> {
  if (!process.stderr.isTTY || (process.env["NO_COLOR"] ?? "") !== "")
    return "ubuntu-ci";
  const { chalkStderr } = await import("chalk");
  return chalkStderr.red.bold("ubuntu-ci");
}

async function report(caught: unknown): Promise<void> {
  const thrown = troubleOfMachine(caught) ?? caught;
  if (thrown instanceof CommanderError) {
    // commander has printed its message already; help and version are no errors.
    process.exitCode = thrown.exitCode === 0 ? ExitCode.ok : ExitCode.refused;
    return;
  }
  const verbose = /(?:^|\s)(?:-v\s*3|--verbosity[= ]3)(?:\s|$)/.test(
    process.argv.slice(2).join(" "),
  );
  const named = handed?.named ?? ((text: string) => text);
  if (thrown instanceof UbuntuCiError) {
    process.exitCode = thrown.exitCode;
    if (thrown.routine && underCron) return;
    const lines = [`${await nameInRed()}: ${named(thrown.message)}`];
    for (const { where, field, message } of thrown.problems)
      lines.push(
        `  ${named(where)}${field === undefined ? "" : `: ${field}`}: ${message}`,
      );
    if (thrown.hint !== undefined) lines.push(`  ${thrown.hint}`);
    if (verbose && thrown.cause instanceof Error)
      lines.push(thrown.cause.stack ?? "");
    complain(lines.join("\n"));
    return;
  }
  const lines = [
    `${await nameInRed()}: a bug of ubuntu-ci: ${messageOf(thrown)}`,
    "  run it again with --verbosity 3 and report what it prints, with the version (ubuntu-ci --version)",
  ];
  if (verbose && thrown instanceof Error) lines.push(thrown.stack ?? "");
  complain(lines.join("\n"));
  process.exitCode = ExitCode.bug;
}

for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    // `ubuntu-ci status | head` closes the pipe, a lost terminal both: no reason to stop half-way.
    if (error.code !== "EPIPE") throw error;
  });
}

try {
  await run(process.argv);
} catch (thrown) {
  await report(thrown);
} finally {
  await handed?.remove();
}
// The log of what was recorded last is written in a microtask; it may complain as well.
await Promise.resolve();
printComplaints(complaining.run, complaining.command);
