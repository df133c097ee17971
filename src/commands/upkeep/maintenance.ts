import { existsSync } from "node:fs";

import { reasonArgument, seconds } from "../../cli/arguments.ts";
import type { CommandWithVerbs, NamedVerb } from "../../cli/command.ts";
import type { CommandContext } from "../../cli/context.ts";
import { recordBegin, recordEnd } from "../../lib/upkeep/maintenance-guard.ts";
import { messageOf, refused } from "../../lib/domain/error.ts";
import type { Plan } from "../../lib/domain/plan.ts";
import { heldBackInWords, readHeldBack } from "../../lib/locks/held-back.ts";
import type { Maintenance } from "../../lib/locks/maintenance.ts";
import {
  endMaintenance,
  forgottenMaintenance,
  maintenanceInWords,
  readMaintenance,
  startMaintenance,
} from "../../lib/locks/maintenance.ts";
import { advice, remedy } from "../../lib/domain/remedy.ts";

const status: NamedVerb = {
  name: "status",
  summary: "whether it is on, since when, by whom, why",
  changes: false,
  run({ paths, config, warn, text }) {
    const maintenance = readMaintenance(paths.maintenance);
    const held = maintenance === null ? null : readHeldBack(paths.run);
    const lines =
      maintenance === null ? ["off"] : [maintenanceInWords(maintenance)];
    if (held !== null && Object.keys(held.commands).length > 0)
      lines.push(`held back: ${heldBackInWords(held)}`);
    const warning = forgottenMaintenance(
      maintenance,
      config.get("maintenance.warnAfterMinutes"),
    );
    if (warning !== null) warn(warning);
    return {
      text: lines.join("\n"),
      value: {
        maintenance,
        held_back: held?.commands ?? {},
        warning: warning === null ? null : text(warning),
      },
    };
  },
};

const on: NamedVerb<{ reason?: string }, Plan> = {
  name: "on",
  summary: "hold every changing command back; what runs goes on",
  define: (command) =>
    command.option(
      "--reason <text>",
      "why, for all to read (default: none)",
      reasonArgument,
    ),
  changes: true,
  inMaintenance: true,
  plan: ({ paths }) => ({
    command: "maintenance",
    actions: [`write ${paths.maintenance}`],
  }),
  async run(context, { reason = null }) {
    const { paths, actor } = context;
    if (!existsSync(paths.root))
      throw refused(
        `there is no state folder ${paths.root}`,
        advice`${remedy("init")} makes it`,
      );
    const before = readMaintenance(paths.maintenance);
    startMaintenance(paths.maintenance, actor, reason);
    const maintenance = readMaintenance(paths.maintenance);
    if (maintenance !== null)
      await orWarn(context, recordBegin(paths, actor, maintenance));
    return { text: onInWords(before, maintenance), value: { maintenance } };
  },
};

const off: NamedVerb<object, Plan> = {
  name: "off",
  summary: "let changing commands start again",
  changes: true,
  inMaintenance: true,
  plan: ({ paths }) => ({
    command: "maintenance",
    actions: [`remove ${paths.maintenance}`],
  }),
  async run(context) {
    const { paths, actor } = context;
    const before = readMaintenance(paths.maintenance);
    endMaintenance(paths.maintenance);
    await orWarn(context, recordEnd(paths, actor));
    return {
      text:
        before === null
          ? "maintenance was off already"
          : `maintenance is off; it was ${maintenanceInWords(before)}`,
      value: { maintenance: null },
    };
  },
};

const wait: NamedVerb<{ timeout?: number }> = {
  name: "wait",
  summary: "return when nothing is running any more",
  define: (command) =>
    command.option(
      "--timeout <seconds>",
      "give up after that long, with exit code 75 (default: wait as long as it takes)",
      seconds,
    ),
  endsItself: true,
  whenInterrupted:
    "nothing was changed: maintenance stays as it is, what runs goes on",
  changes: false,
  async run(context, { timeout }) {
    const { waitUntilIdle } =
      await import("../../lib/locks/wait-until-idle.ts");
    await waitUntilIdle(context.paths.run, {
      signal: context.signal,
      waiting: (who) => context.say(`waiting for ${who}`),
      ...(timeout !== undefined && { limitMs: timeout * 1000 }),
    });
    return { text: "nothing is running", value: { running: [] } };
  },
};

export const command: CommandWithVerbs = {
  // What is damaged is restored in maintenance.
  state: "damaged",
  examples: [
    'maintenance on --reason "new disk"',
    "maintenance wait --timeout 3600",
    "maintenance off",
  ],
  verbs: [status, on, off, wait],
};

/** What switching it on came to. Somebody else's reason is not replaced without a word. */
function onInWords(
  before: Maintenance | null,
  after: Maintenance | null,
): string {
  if (after === null) return "maintenance was switched off meanwhile";
  if (before === null)
    return `maintenance is on${after.reason === null ? "" : `: ${after.reason}`}`;
  const was = `maintenance was ${maintenanceInWords(before)}`;
  return before.reason === after.reason && before.by === after.by
    ? was
    : `${was}; it is now by ${after.by ?? "nobody known"}: ${after.reason ?? "no reason"}`;
}

/** Turns a failure to record the change into a warning: the state itself may be what needs maintenance. */
async function orWarn(
  { warn }: CommandContext,
  recorded: Promise<void>,
): Promise<void> {
  try {
    await recorded;
  } catch (thrown) {
    warn(`this was not recorded: ${messageOf(thrown)}`);
  }
}
