import { totalmem } from "node:os";

import type { Config } from "../config/config.ts";
import { UbuntuCiError, ExitCode } from "../domain/error.ts";

/** What one session may use of this machine. */
export interface Resources {
  readonly processes: number;
  /** Memory of all its processes together. */
  readonly memoryMiB: number;
  /** CPU time of each process. */
  readonly cpuMinutes: number;
  /** What it writes to disk. */
  readonly diskMiB: number;
  /** Each file system in memory: /run, /dev/shm, and /tmp where that is not on disk. */
  readonly tmpfsMiB: number;
  /** Open files of each process. */
  readonly openFiles: number;
  /** The log of each piece of work. */
  readonly logMiB: number;
  /** What is taken out of a session: packages, artifacts of tests. */
  readonly resultsMiB: number;
}

/** The settings `limits.*`, with what follows from this machine. */
export function resourcesOf(config: Config): Resources {
  const machineMiB = Math.floor(totalmem() / 1024 ** 2);
  return {
    processes: config.get("limits.processes"),
    memoryMiB: config.get("limits.memoryMiB") ?? Math.floor(machineMiB * 0.75),
    cpuMinutes: config.get("limits.cpuMinutes"),
    diskMiB: config.get("limits.diskMiB"),
    tmpfsMiB: config.get("limits.tmpfsMiB") ?? Math.ceil(machineMiB / 8),
    openFiles: config.get("limits.openFiles"),
    logMiB: config.get("limits.logMiB"),
    resultsMiB: config.get("limits.resultsMiB"),
  };
}

/** The limits at which a session is ended. */
export type EndingLimit = "processes" | "memoryMiB" | "diskMiB" | "logMiB";

const inWords: Readonly<Record<EndingLimit, (limit: number) => string>> = {
  processes: (limit) => `has more than ${limit} processes`,
  memoryMiB: (limit) => `uses more than ${limit} MiB of memory`,
  diskMiB: (limit) => `writes more than ${limit} MiB to disk`,
  logMiB: (limit) => `prints more than ${limit} MiB`,
};

/** A session was ended because it ran into a limit of its own. */
export class LimitExceeded extends UbuntuCiError {
  constructor(which: EndingLimit, resources: Resources) {
    const words = inWords[which](resources[which]);
    super(`it ${words} (the limit is the setting limits.${which})`, {
      exitCode: ExitCode.notNow,
    });
  }
}
