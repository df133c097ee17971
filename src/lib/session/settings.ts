import type { Setting } from "../domain/setting.ts";

export const sessionSettings = [
  {
    key: "series",
    kind: { type: "list" },
    default: null,
    help: "series that `init` makes a base for; default: the machine's own",
  },
  {
    key: "mirror",
    kind: { type: "string" },
    default: null,
    help: "mirror of the distribution; default: the machine's own apt sources",
    trust: true,
  },
  {
    key: "components",
    kind: { type: "list" },
    default: ["main"],
    help: "components of the mirror, when `mirror` is set",
    trust: true,
  },
  {
    key: "mirrorKeyring",
    kind: { type: "string" },
    default: null,
    help: "keyring that signs the mirror, when `mirror` is set; default: the distribution's",
    trust: true,
  },
] as const satisfies readonly Setting[];
