import { ExitCode } from "../../lib/domain/error.ts";
import { oneLine } from "../../lib/domain/shown-text.ts";
import type { Command } from "../../cli/command.ts";

export const command: Command = {
  state: "diagnosed",
  tellsModes: true,
  changes: false,
  examples: ["doctor", "doctor --json"],
  async run({ paths, config, text }) {
    const { diagnose } = await import("../../lib/upkeep/doctor/doctor.ts");
    const findings = (await diagnose(paths, config)).map((one) => ({
      ...one,
      remedy: one.remedy === null ? null : text(one.remedy),
    }));
    const lines = findings.flatMap(({ name, ok, detail, remedy }) => [
      `${ok ? "ok  " : "FAIL"}  ${name}: ${oneLine(detail)}`,
      ...(ok || remedy === null ? [] : [`      ${remedy}`]),
    ]);
    const ok = findings.every((finding) => finding.ok);
    return {
      text: lines.join("\n"),
      value: { ok, findings },
      exitCode: ok ? ExitCode.ok : ExitCode.misconfigured,
    };
  },
};
