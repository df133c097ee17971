import type { Setting } from "../domain/setting.ts";

export const locksSettings = [
  {
    key: "lock.warnAfterMinutes",
    kind: { type: "integer", min: 1, max: 10080 },
    default: 120,
    help: "age at which a lock is warned about",
  },
  {
    key: "maintenance.warnAfterMinutes",
    kind: { type: "integer", min: 1, max: 525600 },
    default: 240,
    help: "age at which maintenance may have been forgotten",
  },
] as const satisfies readonly Setting[];
