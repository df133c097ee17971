import { ExitCode } from "../../lib/domain/error.ts";
import { oneLine } from "../../lib/domain/shown-text.ts";
import type { CommandModule } from "../../cli/command.ts";

export const command: CommandModule = {
  define(command, makeContext) {
    command
      .addHelpText(
        "after",
        "\nExamples:\n  ubuntu-ci doctor\n  ubuntu-ci doctor --json",
      )
      .action(async () => {
        const context = await makeContext();
        const { diagnose } = await import("../../lib/upkeep/doctor/doctor.ts");
        const found = await diagnose(context.paths, context.config);
        const findings = found.map((one) => ({
          ...one,
          remedy: one.remedy === null ? null : context.text(one.remedy),
        }));
        const lines = findings.flatMap(({ name, ok, detail, remedy }) => [
          `${ok ? "ok  " : "FAIL"}  ${name}: ${oneLine(detail)}`,
          ...(ok || remedy === null ? [] : [`      ${remedy}`]),
        ]);
        context.result(lines.join("\n"), {
          ok: findings.every(({ ok }) => ok),
          findings,
        });
        if (findings.some(({ ok }) => !ok))
          context.exit(ExitCode.misconfigured);
      });
  },
};
