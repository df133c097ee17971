import { textOfLines } from "../../lib/domain/shown-text.ts";
import { ageInWords } from "../../lib/domain/age.ts";
import { heldLocks } from "../../lib/locks/lock.ts";
import { oldLock } from "../../lib/locks/lock-holder.ts";
import type { Command } from "../../cli/command.ts";

export const command: Command = {
  state: "damaged",
  changes: false,
  examples: ["locks", "locks --json"],
  run(context) {
    const limit = context.config.get("lock.warnAfterMinutes");
    const locks = heldLocks(context.paths.run).map((lock) => ({
      ...lock,
      age_seconds: Math.max(
        0,
        Math.round((Date.now() - Date.parse(lock.since)) / 1000),
      ),
      warning: oldLock(lock, limit),
    }));
    const width = Math.max(0, ...locks.map(({ name }) => name.length));
    const lines = locks.map(
      ({ name, pid, host, since, dead, command }) =>
        `${name.padEnd(width)}  ${dead ? "dead, the next run takes it over" : "alive"}  process ${pid} on ${host}  since ${since} (${ageInWords(since)})  ${command}`,
    );
    for (const { warning } of locks)
      if (warning !== null) context.warn(warning);
    return { text: textOfLines(lines) || "no locks", value: { locks } };
  },
};
