import type { Override } from "../../lib/domain/ticket.ts";
import type { OverrideTarget } from "../../lib/domain/override.ts";
import { refused } from "../../lib/domain/error.ts";
import { textOfLines } from "../../lib/domain/shown-text.ts";
import { reasonArgument, ticketNumber } from "../../cli/arguments.ts";
import { withCommandLock } from "../../cli/with-command-lock.ts";
import type { CommandContext } from "../../cli/context.ts";
import type { CommandModule } from "../../cli/command.ts";
import { advice, remedy } from "../../lib/domain/remedy.ts";

interface Options {
  ignoreStep?: string;
  ignoreArch?: string;
  ignoreTest?: string;
  reason?: string;
  undo?: string | true;
}

export const command: CommandModule = {
  define(command, makeContext) {
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
        "--reason <text>",
        "why, for all to read (required to ignore)",
        reasonArgument,
      )
      .option(
        "--undo [number]",
        "take an override back: the one of that number, of the same target, or the only one (default: no)",
      )
      .addHelpText(
        "after",
        `
Without options it lists the ticket's overrides.

Examples:
  ubuntu-ci override 7
  ubuntu-ci override 7 --ignore-test hello/smoke --reason "needs a network"
  ubuntu-ci override 7 --ignore-test hello/smoke --undo`,
      )
      .action(async (id: number, options: Options) => {
        const target = targetOf(options);
        const context = await makeContext();
        const ticket = await (await context.tickets()).get(id);
        if (options.undo !== undefined) {
          await undoOne(context, id, options.undo, target);
        } else if (target !== null) {
          const reason = options.reason ?? "";
          if (reason === "")
            throw refused("an override needs a reason", "--reason TEXT");
          await add(context, id, target, reason);
        } else if (options.reason !== undefined) {
          throw refused(
            "nothing to ignore was named",
            "--ignore-step, --ignore-arch or --ignore-test",
          );
        } else {
          const lines = ticket.overrides.map(overrideLine);
          context.result(textOfLines(lines) || "no overrides", {
            overrides: ticket.overrides,
          });
        }
      });
  },
};

function targetOf(options: Options): OverrideTarget | null {
  const { ignoreStep, ignoreArch, ignoreTest } = options;
  const targets: OverrideTarget[] = [
    ...(ignoreStep === undefined
      ? []
      : [{ kind: "step" as const, target: ignoreStep }]),
    ...(ignoreArch === undefined
      ? []
      : [{ kind: "arch" as const, target: ignoreArch }]),
    ...(ignoreTest === undefined
      ? []
      : [{ kind: "test" as const, target: ignoreTest }]),
  ];
  if (targets.length > 1)
    throw refused("name one thing at a time to ignore, each has its reason");
  return targets[0] ?? null;
}

async function add(
  context: CommandContext,
  id: number,
  target: OverrideTarget,
  reason: string,
): Promise<void> {
  const { retryAfterOverride } = await import("../../lib/domain/override.ts");
  const { machineArchitecture } =
    await import("../../lib/host/architecture.ts");
  const { planText } = await import("../../cli/plan-text.ts");
  const tickets = await context.tickets();
  if (context.options.dryRun === true) {
    const plan = await tickets.planOverride(id, target);
    context.result(planText(plan), { plan });
    return;
  }
  const plan = await withCommandLock(
    context,
    "override",
    () => tickets.override(id, target, reason),
    { patient: true },
  );
  const ticket = await tickets.get(id);
  const next = retryAfterOverride(ticket, machineArchitecture());
  const retry = next === null ? null : context.text(next);
  warnOfUnknownTest(context, ticket.tests, plan.target);
  const goOn =
    retry === null ? [] : [`it failed at that; this takes it on:\n${retry}`];
  context.result([planText(plan), ...goOn].join("\n"), {
    plan,
    overrides: ticket.overrides,
    retry,
  });
}

/** Which tests there are is only known once they ran, so that a name which never came up is no mistake yet. */
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

async function undoOne(
  context: CommandContext,
  id: number,
  which: string | true,
  target: OverrideTarget | null,
): Promise<void> {
  if (which !== true && !/^[1-9][0-9]{0,14}$/.test(which))
    throw refused(
      `${JSON.stringify(which)} is not the number of an override`,
      advice`${remedy("override", [id])} lists them`,
    );
  if (which !== true && target !== null)
    throw refused("--undo takes a number or a target, not both");
  const wanted = which === true ? target : Number(which);
  const { overrideInWords } = await import("../../lib/domain/override.ts");
  const tickets = await context.tickets();
  if (context.options.dryRun === true) {
    const found = await tickets.planUndo(id, wanted);
    context.result(`ticket ${id}: undo ${overrideInWords(found)}`, {
      undo: found,
    });
    return;
  }
  const undone = await withCommandLock(
    context,
    "override",
    () => tickets.undo(id, wanted),
    { patient: true },
  );
  context.result(`ticket ${id}: ${overrideInWords(undone)} is undone`, {
    overrides: (await tickets.get(id)).overrides,
  });
}

function overrideLine(override: Override): string {
  const { id, kind, target, reason, by, at, undone } = override;
  const end = undone === null ? "" : `; undone by ${undone.by}, ${undone.at}`;
  return `${id}  ignore-${kind} ${target}  by ${by}, ${at}: ${reason}${end}`;
}
