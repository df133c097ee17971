import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import Database from "better-sqlite3";

const ticksPerSecond = 100;
const lookMs = 5000;

/** More than any command of the harness takes, by far: it runs in circles. */
const mostCpuSeconds = 90;

/** So long nothing of it runs or waits for a disk: it waits for what never comes. */
const idleMs = 120_000;

/** State and CPU ticks of a process with its ended children (proc(5), stat); undefined when it is gone. */
export function statOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ticks = fields.slice(11, 15).map(Number);
    return { state: fields[0], ticks: ticks.reduce((sum, one) => sum + one) };
  } catch {
    return undefined;
  }
}

/** Whether a process is there, and no zombie. */
export function isAlive(pid) {
  return !["Z", "X", undefined].includes(statOf(pid)?.state);
}

export function childrenOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
      .trim()
      .split(" ")
      .filter((text) => text !== "")
      .map(Number);
  } catch {
    return [];
  }
}

function treeOf(pid) {
  return [pid, ...childrenOf(pid).flatMap(treeOf)];
}

/**
 * Watches a command for as long as it runs. On a busy machine everything takes long, so it hangs only when
 * it has used very much CPU time, or none at all and nothing of it was ready to run for long.
 *
 * @param hangs called once, with the reason
 * @returns what ends the watch
 */
export function watch(pid, hangs) {
  let idleSince = performance.now();
  let used = 0;
  const timer = setInterval(() => {
    const stats = treeOf(pid).map(statOf).filter(Boolean);
    const ticks = stats.reduce((sum, one) => sum + one.ticks, 0);
    const busy = stats.some(({ state }) => /[RDTt]/.test(state));
    // To ask again and again whether a lock is free yet takes some ticks, too.
    if (busy || ticks - used > ticksPerSecond) {
      idleSince = performance.now();
      used = ticks;
    }
    const idle = performance.now() - idleSince;
    const why =
      ticks > mostCpuSeconds * ticksPerSecond
        ? `hangs: it has used ${ticks / ticksPerSecond} s of CPU time`
        : idle > idleMs
          ? `hangs: nothing of it has run for ${Math.round(idle / 1000)} s`
          : undefined;
    if (why === undefined) return;
    clearInterval(timer);
    hangs(why);
  }, lookMs);
  return () => clearInterval(timer);
}

/** Waits until a child was suspended; false when it ended without. */
export async function untilStopped(child) {
  const ended = () => child.exitCode !== null || child.signalCode !== null;
  while (!ended()) {
    if (statOf(child.pid)?.state === "T") return true;
    await new Promise((done) => setTimeout(done, 20));
  }
  return false;
}

/** Names of the PID-file locks that a process holds. */
export function locksOf(state, pid) {
  const folder = join(state, "run");
  return readdirSync(folder).filter((name) => {
    if (name.startsWith(".") || !name.endsWith(".pid")) return false;
    try {
      return JSON.parse(readFileSync(join(folder, name), "utf8")).pid === pid;
    } catch {
      return false; // another's, given back just now
    }
  });
}

/** Whether nobody holds a lock of mutual exclusion: whether it can be taken. */
export function isFree(state, name) {
  const file = join(state, "locks", name);
  if (!existsSync(file)) return true;
  const lock = new Database(file, { timeout: 0 });
  try {
    lock.exec("BEGIN EXCLUSIVE");
    return true;
  } catch {
    return false;
  } finally {
    lock.close();
  }
}

/** Processes of a round that are still there. */
export function processesOf(root) {
  return readdirSync("/proc")
    .filter((name) => /^[0-9]+$/.test(name))
    .flatMap((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, "utf8").includes(
          `CRASH_ROUND=${root}\0`,
        )
          ? [readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")]
          : [];
      } catch {
        return []; // another user's, or gone
      }
    });
}
