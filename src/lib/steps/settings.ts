import type { Setting } from "../domain/setting.ts";

export const stepsSettings = [
  {
    key: "build.parallel",
    kind: { type: "integer", min: 1, max: 64 },
    default: 2,
    help: "source packages of one ticket built side by side",
  },
] as const satisfies readonly Setting[];
