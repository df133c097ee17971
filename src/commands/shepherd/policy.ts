import type { Command as Commander } from "commander";

import {
  pathArgument,
  reasonArgument,
  ticketNumber,
  wholeNumber,
} from "../../cli/arguments.ts";
import type { CommandWithVerbs, NamedVerb } from "../../cli/command.ts";
import type { CommandContext } from "../../cli/context.ts";
import { describePlan } from "../../cli/plan-text.ts";
import { refused } from "../../lib/domain/error.ts";
import { textOfLines } from "../../lib/domain/shown-text.ts";
import type {
  PolicyPlan,
  PolicyWanted,
} from "../../lib/shepherd/set-policy.ts";
import type {
  ChangedTicket,
  TriedTicket,
} from "../../lib/shepherd/try-policy.ts";

const show: NamedVerb<{ default?: true }> = {
  name: "show",
  summary: "the policy in force, as set accepts it",
  define: (command) =>
    command.option("--default", "the one without any set (default: no)"),
  changes: false,
  examples: ["policy show", "policy show > policy.yaml"],
  async run(context, options) {
    const [
      { policyInForce },
      { writtenPolicy },
      { defaultPolicyText },
      policy,
    ] = await Promise.all([
      import("../../lib/state/policies.ts"),
      import("../../lib/domain/policy-check.ts"),
      import("../../lib/shepherd/policy-file.ts"),
      import("../../lib/domain/policy.ts"),
    ]);
    const found =
      options.default === true
        ? { policy: policy.defaultPolicy, set: null }
        : policyInForce(await context.db());
    const { text = defaultPolicyText, ...set } = found.set ?? {};
    if (found.set !== null) context.say(setInWords(found.set));
    return {
      text: text.trimEnd(),
      value: {
        ...writtenPolicy(found.policy),
        set: found.set === null ? null : set,
      },
    };
  },
};

function setInWords(set: {
  by: string;
  at: string;
  reason: string | null;
  forced: boolean;
}): string {
  const how = set.forced ? "set by force" : "set";
  return `${how} by ${set.by}, ${set.at}${set.reason === null ? "" : `: ${set.reason}`}`;
}

interface FileOptions {
  readonly file: string;
  readonly limit?: number;
  readonly all?: true;
}

const withFile = (command: Commander) =>
  command.argument("<file>", "the policy, YAML or JSON", pathArgument);

const withLimit = (command: Commander) =>
  command
    .option(
      "--limit <number>",
      "list at most so many tickets, the newest (default: 100)",
      wholeNumber,
    )
    .option("--all", "list all tickets (default: no)");

function checkLimit({ limit, all }: FileOptions): void {
  if (limit !== undefined && all === true)
    throw refused("--all and --limit exclude each other");
  if (limit !== undefined && limit < 1)
    throw refused("--limit must be a number above 0");
}

/** The newest of the tickets, as many as are to be listed. */
function newest<T>(tickets: readonly T[], { limit = 100, all }: FileOptions) {
  return all === true ? tickets : tickets.slice(-limit);
}

async function read(context: CommandContext, file: string) {
  const { readPolicyFile } = await import("../../lib/shepherd/policy-file.ts");
  return readPolicyFile(file, context.readable(file));
}

const test: NamedVerb<FileOptions & { ticket?: number }> = {
  name: "test",
  summary: "what a policy would decide about the recorded tickets",
  define: (command) =>
    withLimit(withFile(command)).option(
      "--ticket <number>",
      "that ticket alone, and what is found of each requirement (default: all)",
      ticketNumber,
    ),
  examples: ["policy test policy.yaml", "policy test policy.yaml --ticket 7"],
  changes: false,
  check: checkLimit,
  reads: ({ file }) => [file],
  async run(context, options) {
    const { policy } = await read(context, options.file);
    const db = await context.db();
    if (options.ticket !== undefined)
      (await import("../../lib/state/tickets.ts")).getTicket(
        db,
        options.ticket,
      );
    const { judgementInWords, tryPolicy, whyNot } =
      await import("../../lib/shepherd/try-policy.ts");
    const counts = { through: 0, stopped: 0, undecided: 0 };
    const tried: TriedTicket[] = [];
    const most = options.all === true ? Infinity : (options.limit ?? 100);
    for (const one of tryPolicy(db, policy, options.ticket)) {
      counts[one.would] += 1;
      tried.push(one);
      if (tried.length > most) tried.shift();
    }
    const lines = tried.map((one) =>
      [...lineOf(one, one.would), whyNot(one.judgements) ?? ""]
        .filter((part) => part !== "")
        .join("  "),
    );
    const details =
      options.ticket === undefined
        ? []
        : tried.flatMap(({ judgements }) =>
            judgements.map((one) => `  ${judgementInWords(one)}`),
          );
    const { through, stopped, undecided } = counts;
    return {
      text: textOfLines([
        ...lines,
        ...details,
        `${through} let through, ${stopped} stopped, ${undecided} undecided`,
      ]),
      value: { ...counts, tickets: tried },
    };
  },
};

const diff: NamedVerb<FileOptions> = {
  name: "diff",
  summary: "what a policy would have decided otherwise than was decided",
  define: (command) => withLimit(withFile(command)),
  examples: ["policy diff policy.yaml", "policy diff policy.yaml --all --json"],
  changes: false,
  check: checkLimit,
  reads: ({ file }) => [file],
  async run(context, options) {
    const { policy } = await read(context, options.file);
    const { policyDifference } =
      await import("../../lib/shepherd/try-policy.ts");
    const found = policyDifference(await context.db(), policy);
    const { decided, let_through: more, stopped } = found;
    const lines = (title: string, all: readonly ChangedTicket[]) =>
      all.length === 0 ? [] : [title, ...newest(all, options).map(changeLine)];
    return {
      text: textOfLines([
        `${decided} decided tickets: ${more.length} that were stopped would have been let through, ${stopped.length} that were let through would not`,
        ...lines("stopped, and would have been let through:", more),
        ...lines("let through, and would not have been:", stopped),
      ]),
      value: {
        decided,
        let_through: {
          count: more.length,
          tickets: newest(more, options),
        },
        stopped: { count: stopped.length, tickets: newest(stopped, options) },
      },
    };
  },
};

function changeLine(one: ChangedTicket): string {
  const { was, would, because } = one;
  const unknown =
    was === "stopped" && would === "undecided"
      ? "what comes after that was never tried"
      : "";
  return ["", ...lineOf(one, ""), because ?? "", unknown]
    .filter((part, index) => index === 0 || part !== "")
    .join("  ");
}

function lineOf(
  { ticket, series, sources }: Omit<ChangedTicket, "because">,
  decision: string,
): string[] {
  const names = sources.map(({ source, version }) => `${source} ${version}`);
  return [String(ticket), series, names.join(", "), decision];
}

const set: NamedVerb<PolicyWanted, PolicyPlan> = {
  name: "set",
  summary: "put a policy in force, from the next run on",
  define: (command) =>
    withFile(command)
      .option(
        "--force",
        "although it lets through more than policy.maxLetThrough tickets that were stopped (default: no)",
      )
      .option(
        "--reason <text>",
        "why, for all to read (required with --force; default: none)",
        reasonArgument,
      ),
  examples: [
    "policy set policy.yaml",
    'policy set policy.yaml --force --reason "the mirror lost the test data"',
  ],
  changes: true,
  locks: [{ name: "policy" }],
  reads: ({ file }) => [file],
  check({ force, reason = "" }) {
    if (force === true && reason === "")
      throw refused("--force needs a reason", "--reason TEXT");
  },
  async plan(context, options) {
    const written = await read(context, options.file);
    const { planPolicy } = await import("../../lib/shepherd/set-policy.ts");
    return planPolicy(await context.db(), context.config, written, options);
  },
  describe: ({ command, actions }) =>
    describePlan({ command, actions }, command),
  async run(context, options, makePlan) {
    const plan = await makePlan();
    const { difference, actions, command } = plan;
    const { setPolicy } = await import("../../lib/shepherd/set-policy.ts");
    if (actions.length > 0)
      setPolicy(await context.db(), context.actor, plan, options);
    const { let_through: more, stopped } = difference;
    return {
      text:
        actions.length === 0
          ? "that policy is in force already"
          : "the policy is in force from the next run on",
      value: {
        plan: { command, actions },
        let_through: more.map(({ ticket }) => ticket),
        stopped: stopped.map(({ ticket }) => ticket),
      },
    };
  },
};

export const command: CommandWithVerbs = {
  examples: [
    "policy show",
    "policy diff policy.yaml",
    "policy set policy.yaml",
  ],
  verbs: [show, test, diff, set],
};
