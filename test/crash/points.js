import { crashPoints } from "../../dist/lib/files/crash-point.js";

/** The commands that come by a point, by the first part of its name or the whole. */
const commands = {
  "admission.": ["create"],
  "ticket.updated": ["update"],
  "ticket.": ["create"],
  "lock.taking-over": ["land"],
  "lock.taken-over": ["land"],
  "lock.": ["create", "land", "step", "clean", "update"],
  "lease.": ["land", "land", "step"],
  "file.": ["land", "step"],
  "link.": ["land"],
  "job.cancelled": ["cancel"],
  "job.": ["land", "step"],
  "run.": ["land", "land", "step"],
  "ppa.reserved": ["land"],
  "ppa.": ["land", "clean"],
  "publish.": ["land"],
  "resign.": ["resign"],
  "maintenance.": ["maintenance"],
  "cancel.asked": ["cancel"],
  "cancel.": ["cancel", "cancel", "land"],
  "retry.": ["retry"],
  "report.": ["report"],
  "backup.": ["backup"],
  "fsck.": ["mend"],
};

/** Points of upkeep that come by while others work. Restoring is tried when all is quiet. */
const upkeepPoints = ["backup.packed", "backup.placed", "fsck.mended"];
export const restorePoints = [
  "restore.begun",
  "restore.checked",
  "restore.set-aside",
  "restore.placed",
];

const points = [...crashPoints, ...upkeepPoints];

/**
 * Points to be suspended at, with what the command must have then: a lease, a lock of mutual exclusion.
 * `other`: a second copy would not have to wait for it.
 */
export const stopPoints = [
  { point: "lease.taken", command: ["land"], lease: true, other: true },
  { point: "run.tidied", command: ["land"], lease: true, other: true },
  { point: "report.page-written", command: ["shepherd-report"], other: true },
  { point: "report.pages-written", command: ["shepherd-report"], other: true },
  { point: "ppa.cleaning", command: ["land"], lock: "cleaning" },
  { point: "publish.begun", command: ["land"], lease: true, lock: "archive" },
  { point: "publish.renamed", command: ["land"], lease: true, lock: "archive" },
];

/** Points that one command comes by many times. */
const often = /^(file|run|lease)\.|^(ticket\.file-placed|publish\.renamed)$/;

/** What reaches that point. */
export function commandsFor(point) {
  const key = Object.keys(commands).find((prefix) => point.startsWith(prefix));
  if (key === undefined) throw new RangeError(`no command reaches ${point}`);
  return commands[key];
}

/** Which points were killed at, so that the rarest come next. */
export class PointTally {
  #hits = new Map([...points, ...restorePoints].map((name) => [name, 0]));
  #tries = new Map(points.map((name) => [name, 0]));

  /**
   * `POINT:N`, the Nth time a process comes by: the point least often killed at of them all, or of
   * three.
   */
  next(random) {
    const some = random.chance(0.4)
      ? points
      : [1, 2, 3].map(() => random.pick(points));
    const score = (name) => this.#hits.get(name) * 10 + this.#tries.get(name);
    const lowest = Math.min(...some.map(score));
    const chosen = random.pick(some.filter((name) => score(name) === lowest));
    this.#tries.set(chosen, this.#tries.get(chosen) + 1);
    const times = often.test(chosen) && random.chance(0.5) ? 6 : 1;
    return { name: chosen, times: random.whole(1, times) };
  }

  hit(name) {
    this.#hits.set(name, this.#hits.get(name) + 1);
  }

  get counts() {
    return Object.fromEntries(this.#hits);
  }

  get missed() {
    return [...this.#hits]
      .filter(([, hits]) => hits === 0)
      .map(([name]) => name);
  }
}
