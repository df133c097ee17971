import { readFileSync } from "node:fs";
import { hostname } from "node:os";

/** Identifies one process uniquely, across machines, reboots and reused pids. */
export interface ProcessIdentity {
  readonly host: string;
  readonly pid: number;
  readonly boot_id: string;
  /** Start time in clock ticks since boot (proc(5), stat field 22). */
  readonly process_start: string;
}

let constant: Omit<ProcessIdentity, "host"> | undefined;

/** The identity of this process. */
export function thisProcess(): ProcessIdentity {
  // Every temporary file is named by it.
  constant ??= {
    pid: process.pid,
    boot_id: bootId(),
    process_start: startOf(process.pid) ?? "",
  };
  return { host: hostname(), ...constant };
}

/** Whether a process is gone; undefined for one of another machine, which cannot be checked from here. */
export function isGone(identity: ProcessIdentity): boolean | undefined {
  if (identity.host !== hostname()) return undefined;
  return (
    identity.boot_id !== bootId() ||
    startOf(identity.pid) !== identity.process_start
  );
}

function bootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}

/** Start time of a process (`process_start` of its identity); undefined when it is gone or a zombie. */
export function startOf(pid: number): string | undefined {
  let stat;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined; // no such process
  }
  // The command name may itself contain parentheses: the fields are counted after the last one.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state] = fields;
  return state === "Z" || state === "X" ? undefined : fields[19];
}
