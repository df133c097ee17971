import { textOfLines } from "../../lib/domain/shown-text.ts";
import { ExitCode } from "../../lib/domain/error.ts";
import type { Plan } from "../../lib/domain/plan.ts";
import type { Command, Result } from "../../cli/command.ts";
import type { CommandContext } from "../../cli/context.ts";
import { fsck } from "../../lib/upkeep/fsck/fsck.ts";
import type { Inconsistency } from "../../lib/upkeep/fsck/inconsistency.ts";

interface MendingPlan extends Plan {
  readonly findings: readonly Inconsistency[];
}

export const command: Command<{ mend?: true; digests?: true }, MendingPlan> = {
  state: "damaged",
  tellsModes: true,
  changes: true,
  onlyReads: ({ mend }) => mend !== true,
  locks: [{ name: "fsck" }, { name: "expire", patient: true }],
  define: (command) =>
    command
      .option("--mend", "put right what is safe to put right (default: no)")
      .option(
        "--digests",
        "read every file and check its digest (default: its size)",
      ),
  whenInterrupted:
    "what was mended stays so; the next fsck looks at everything",
  examples: ["fsck --digests", "fsck --mend"],
  notes: `Exits with 0 when all is well or was mended, and with 1 when something wrong is left; "mendable" in --json
tells what --mend would put right. It can run at any time, beside all other commands.`,
  async plan(context, { digests }) {
    const findings = await look(context, false, digests);
    const actions = findings
      .filter(({ mendable }) => mendable)
      .map(({ check, where }) => `mend ${check}: ${where}`);
    return { command: "fsck", actions, findings };
  },
  describe: ({ findings, ...plan }, context) => {
    const { value, ...result } = describe(findings, context);
    return { ...result, value: { plan, ...value } };
  },
  run: async (context, { mend, digests }) =>
    describe(await look(context, mend === true, digests), context),
};

function look(
  { paths, engine, signal }: CommandContext,
  mend: boolean,
  digests = false,
): Promise<readonly Inconsistency[]> {
  return fsck(paths, engine, { mend, digests, signal });
}

function describe(
  found: readonly Inconsistency[],
  { text }: CommandContext,
): Result & { value: object } {
  const findings = found.map((one) => ({ ...one, remedy: text(one.remedy) }));
  const lines = findings.flatMap(({ check, what, where, remedy, mended }) => [
    `${mended ? "mended" : "WRONG "}  ${check}: ${where}: ${what}`,
    ...(mended ? [] : [`        ${remedy}`]),
  ]);
  const left = findings.filter(({ mended }) => !mended);
  return {
    text: textOfLines(lines) || "all is well",
    value: { ok: left.length === 0, findings },
    exitCode: left.length === 0 ? ExitCode.ok : ExitCode.ticketFailed,
  };
}
