import type { Override } from "../../lib/domain/ticket.ts";
import type { OverrideTarget } from "../../lib/domain/override.ts";
import {
  endInWords,
  overrideInWords,
  untilInWords,
} from "../../lib/domain/override.ts";
import { retryAfterOverride } from "../../lib/domain/retry-after-override.ts";
import type { TicketPlan } from "../../lib/domain/plan.ts";
import { refused } from "../../lib/domain/error.ts";
import { textOfLines } from "../../lib/domain/shown-text.ts";
import {
  comingMomentArgument,
  reasonArgument,
  ticketNumber,
} from "../../cli/arguments.ts";
import type { CommandContext } from "../../cli/context.ts";
import type { Command, Result } from "../../cli/command.ts";
import type { OverrideWanted } from "../../lib/tickets/ticket-system.ts";
import { advice, remedy } from "../../lib/domain/remedy.ts";

interface Options {
  ticket: number;
  ignoreStep?: string;
  ignoreArch?: string;
  ignoreTest?: string;
  allowTakeover?: string;
  allowBreaks?: true;
  allowOlder?: true;
  reason?: string;
  until?: string;
  undo?: string | true;
}

type Wanted =
  | { readonly kind: "list" }
  | { readonly kind: "undo"; readonly which: OverrideWanted }
  | {
      readonly kind: "ignore";
      readonly target: OverrideTarget;
      readonly reason: string;
      readonly until: string | null;
    };

type OverridingPlan = TicketPlan | (TicketPlan & { readonly undo: Override });

export const command: Command<Options, OverridingPlan> = {
  changes: true,
  locks: [{ name: "override", patient: true }],
  define: (command) =>
    command
      .argument("<ticket>", "number of the ticket", ticketNumber)
      .option(
        "--ignore-step <step>",
        "pass over a step, build-image or run-tests, without running it (default: none)",
      )
      .option(
        "--ignore-arch <arch>",
        "results of this architecture don't hold the ticket back (default: none)",
      )
      .option(
        "--ignore-test <test>",
        "PKG or PKG/TEST, whose failures don't count (default: none)",
      )
      .option(
        "--allow-takeover <package>",
        "take over this binary package, which another source builds (default: none)",
      )
      .option(
        "--allow-breaks",
        "make packages of the archive uninstallable or unbuildable (default: no)",
      )
      .option(
        "--allow-older",
        "publish a version below the distribution's own (default: no)",
      )
      .option(
        "--reason <text>",
        "why, for all to read (required to ignore or allow)",
        reasonArgument,
      )
      .option(
        "--until <date>",
        "when it ends: a date, or a time from now such as 7d (default: never)",
        comingMomentArgument,
      )
      .option(
        "--undo [number]",
        "take an override back: the one of that number, of the same target, or the only one (default: no)",
      ),
  examples: [
    "override 7",
    'override 7 --ignore-test hello/smoke --reason "needs a network" --until 7d',
    "override 7 --ignore-test hello/smoke --undo",
  ],
  notes: `Without options it lists the ticket's overrides.`,
  check: wantedBy,
  onlyReads: (options) => wantedBy(options).kind === "list",
  async plan(context, options) {
    const { ticket } = options;
    const wanted = wantedBy(options);
    const tickets = await context.tickets();
    switch (wanted.kind) {
      case "list":
        return { ticket, command: "override", actions: [] };
      case "ignore":
        return tickets.planOverride(ticket, wanted.target, wanted.until);
      case "undo": {
        const undo = await tickets.planUndo(ticket, wanted.which);
        const actions = [`undo ${overrideInWords(undo)}`];
        return { ticket, command: "override", actions, undo };
      }
    }
  },
  async run(context, options) {
    const { ticket: id } = options;
    const wanted = wantedBy(options);
    const tickets = await context.tickets();
    if (wanted.kind === "ignore") return ignore(context, id, wanted);
    const undone =
      wanted.kind === "undo" ? await tickets.undo(id, wanted.which) : null;
    const { overrides } = await tickets.get(id);
    return {
      text:
        undone === null
          ? textOfLines(overrides.map(overrideLine)) || "no overrides"
          : `ticket ${id}: ${overrideInWords(undone)} is undone`,
      value: { overrides },
    };
  },
};

function targetOf(options: Options): OverrideTarget | null {
  const given: Readonly<Record<Override["kind"], string | undefined>> = {
    step: options.ignoreStep,
    arch: options.ignoreArch,
    test: options.ignoreTest,
    takeover: options.allowTakeover,
    breaks: options.allowBreaks === true ? "" : undefined,
    older: options.allowOlder === true ? "" : undefined,
  };
  const targets = Object.entries(given).flatMap(([kind, target]) =>
    target === undefined ? [] : [{ kind: kind as Override["kind"], target }],
  );
  if (targets.length > 1)
    throw refused("name one thing at a time, each has its reason");
  return targets[0] ?? null;
}

/** @throws UbuntuCiError (2) when the options don't go together */
function wantedBy(options: Options): Wanted {
  const { ticket, undo, reason = "", until = null } = options;
  const target = targetOf(options);
  if (undo !== undefined) {
    if (undo !== true && !/^[1-9][0-9]{0,14}$/.test(undo))
      throw refused(
        `${JSON.stringify(undo)} is not the number of an override`,
        advice`${remedy("override", [ticket])} lists them`,
      );
    if (undo !== true && target !== null)
      throw refused("--undo takes a number or a target, not both");
    return { kind: "undo", which: undo === true ? target : Number(undo) };
  }
  if (target !== null) {
    if (reason === "")
      throw refused("an override needs a reason", "--reason TEXT");
    return { kind: "ignore", target, reason, until };
  }
  if (options.reason !== undefined || until !== null)
    throw refused(
      "nothing to ignore or allow was named",
      "--ignore-step, --ignore-arch, --ignore-test, --allow-takeover, --allow-breaks or --allow-older",
    );
  return { kind: "list" };
}

async function ignore(
  context: CommandContext,
  id: number,
  { target, reason, until }: Wanted & { readonly kind: "ignore" },
): Promise<Result> {
  const { machineArchitecture } =
    await import("../../lib/host/architecture.ts");
  const tickets = await context.tickets();
  const plan = await tickets.override(id, target, reason, until);
  const ticket = await tickets.get(id);
  const next = retryAfterOverride(ticket, machineArchitecture());
  const retry = next === null ? null : context.text(next);
  warnOfUnknownTest(context, ticket.tests, plan.target);
  const goOn =
    retry === null ? [] : [`it failed at that; this takes it on:\n${retry}`];
  return {
    text: [
      `ticket ${id}: ${overrideInWords(plan.target)} is in force from the next run on${untilInWords(plan)}`,
      ...goOn,
    ].join("\n"),
    value: { plan, overrides: ticket.overrides, retry },
  };
}

/** Test names are only known after a run, so an unknown name may still be right: warn, but accept it. */
function warnOfUnknownTest(
  context: CommandContext,
  tests: readonly { package: string; name: string }[],
  { kind, target }: OverrideTarget,
): void {
  const [source, name] = target.split("/");
  const known = tests.filter((test) => test.package === source);
  if (
    kind === "test" &&
    name !== undefined &&
    known.length > 0 &&
    !known.some((test) => test.name === name)
  )
    context.warn(
      `no test ${name} of ${source ?? ""} has run so far; there were ${known.map((test) => test.name).join(", ")}`,
    );
}

function overrideLine(override: Override): string {
  const { id, kind, target, reason, by, at } = override;
  const end = endInWords(override);
  return `${id}  ${overrideInWords({ kind, target })}${untilInWords(override)}  by ${by}, ${at}: ${reason}${end === null ? "" : `; ${end}`}`;
}
