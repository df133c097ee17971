import { adviceText } from "../lib/host/command-line.ts";
import { printJson, printLine } from "../lib/host/output.ts";
import type { Result, Verb } from "./command.ts";
import { interrupted } from "../lib/domain/error.ts";
import type { Advice } from "../lib/domain/remedy.ts";
import type { CommandContext } from "./context.ts";
import { isRemote } from "./global-options.ts";
import { describePlan } from "./plan-text.ts";

/** Whether maintenance holds a command line back. */
export function stopsInMaintenance(verb: Verb, options: object): boolean {
  return (
    verb.changes &&
    verb.inMaintenance !== true &&
    verb.onlyReads?.(options) !== true
  );
}

/**
 * Runs a command line's verb: the one place for --dry-run, locks, --json and the exit code.
 *
 * @param name the command's name
 * @param json whether what it says without a context is a document
 * @throws UbuntuCiError as the verb does; (75) in maintenance, or when another copy runs
 */
export async function runVerb(
  name: string,
  verb: Verb,
  options: object,
  makeContext: () => Promise<CommandContext>,
  json = false,
): Promise<void> {
  verb.check?.(options);
  let context: CommandContext;
  try {
    context = await makeContext();
  } catch (thrown) {
    const result = verb.withoutContext?.(thrown);
    if (result === undefined) throw thrown;
    if (json) printJson(result.value, 2);
    else printLine("stdout", adviceText(result.text ?? ""));
    process.exitCode = result.exitCode;
    return;
  }
  const outcome = await outcomeOf(name, verb, options, context);
  if (outcome === undefined) return;
  const { text = "", shown, value } = outcome;
  if (shown !== undefined && context.options.json !== true)
    printLine("stdout", shown);
  else context.result(context.text(text), value);
  if (outcome.exitCode !== undefined) context.exit(outcome.exitCode);
}

async function outcomeOf(
  name: string,
  verb: Verb,
  options: object,
  context: CommandContext,
): Promise<Result | undefined> {
  if (!verb.changes)
    return untilInterrupted(verb, context, () => verb.run(context, options));
  const plan = async () => await verb.plan(context, options);
  const changes = verb.onlyReads?.(options) !== true;
  if (changes && context.options.dryRun === true)
    return verb.describe === undefined
      ? describePlan(await plan(), name)
      : verb.describe(await plan(), context);
  const nothing = await verb.nothingToDo?.(context, options);
  if (nothing !== undefined) return nothing;
  const run = () =>
    untilInterrupted(verb, context, () => verb.run(context, options, plan));
  const { locks = [], inMaintenance } = verb;
  // A remote ticket system has locks of its own.
  const done =
    changes && locks.length > 0 && !isRemote(context.options)
      ? await (
          await import("./with-locks.ts")
        ).withLocks(context, locks, inMaintenance === true, run)
      : await run();
  return typeof done === "function" ? done() : done;
}

/** How long work may take to notice a signal and to end in order. */
const graceMs = 3000;

/** What a signal leaves behind, for the person who sent it; null when there is nothing to say. */
export function interruptionOf(verb: Verb): Advice | null {
  if (verb.whenInterrupted !== undefined) return verb.whenInterrupted;
  return verb.changes
    ? "what was finished stays; the same command does the rest"
    : "nothing was changed";
}

/**
 * Runs work until it ends, or until a moment after a signal: it may be in the middle of something that
 * does not look at the signal. Every command may be killed at any instant, so nothing is lost.
 *
 * @throws UbuntuCiError (75) when the work was given up
 */
async function untilInterrupted<T>(
  verb: Verb,
  { signal }: CommandContext,
  work: () => T | Promise<T>,
): Promise<T> {
  if (verb.endsItself === true) return work();
  let timer: NodeJS.Timeout | undefined;
  let giveUp = () => {};
  const givenUp = new Promise<never>((_done, fail) => {
    giveUp = () => {
      timer = setTimeout(
        () => fail(interrupted(interruptionOf(verb) ?? "")),
        graceMs,
      );
    };
  });
  if (signal.aborted) giveUp();
  signal.addEventListener("abort", giveUp, { once: true });
  try {
    return await Promise.race([work(), givenUp]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", giveUp);
  }
}
