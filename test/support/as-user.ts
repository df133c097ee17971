import { spawnSync } from "node:child_process";

import type { Ended } from "./program.ts";

/**
 * Runs a command as another user of a namespace in which this user is root (uid 0) and the ids from 1
 * on are this user's subordinate ids: what root may do there needs no privileges outside.
 */
export function asUser(
  uid: number,
  argv: readonly string[],
  options: {
    readonly cwd: string;
    readonly env: Readonly<Record<string, string>>;
  },
): Ended {
  const become =
    uid === 0
      ? []
      : [
          ...["setpriv", `--reuid=${uid}`, `--regid=${uid}`],
          ...["--clear-groups", "--"],
        ];
  const { status, stdout, stderr } = spawnSync(
    "unshare",
    ["--user", "--map-auto", "--map-root-user", "--", ...become, ...argv],
    {
      encoding: "utf8",
      cwd: options.cwd,
      env: { ...process.env, NO_COLOR: "1", ...options.env },
      maxBuffer: 64 * 1024 * 1024,
    },
  );
  return { code: status, stdout, stderr };
}
