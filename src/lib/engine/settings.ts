import type { Setting } from "../domain/setting.ts";

export const engineSettings = [
  {
    key: "concurrency",
    kind: { type: "integer", min: 1, max: 64 },
    default: 1,
    help: "tickets in flight at a time",
  },
  {
    key: "limits.diskReserveMiB",
    kind: { type: "integer", min: 0, max: 2 ** 40 },
    default: 1024,
    help: "free space on the disk of the state folder, in MiB, below which no step starts but publish",
  },
  {
    key: "publish.timeoutMinutes",
    kind: { type: "integer", min: 1, max: 10080 },
    default: 60,
    help: "time limit of one publication",
  },
  {
    key: "ppa.timeoutMinutes",
    kind: { type: "integer", min: 1, max: 10080 },
    default: 30,
    help: "time limit of preparing a PPA",
  },
  {
    key: "retry.limit",
    kind: { type: "integer", min: 0, max: 100 },
    default: 3,
    help: "retries of a step after a temporary failure",
  },
  {
    key: "retry.firstDelaySeconds",
    kind: { type: "integer", min: 0, max: 86400 },
    default: 60,
    help: "wait before the first retry; doubled for each further one",
  },
] as const satisfies readonly Setting[];
