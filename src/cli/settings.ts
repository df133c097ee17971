import type { Setting } from "../lib/domain/setting.ts";

export const cliSettings = [
  {
    key: "staging.url",
    kind: { type: "string" },
    default: null,
    help: "ticket system that --staging talks to",
  },
] as const satisfies readonly Setting[];
