import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

/** The system user that `maintenance/quickstart` and `maintenance/check` make. */
const systemUser = "ubuntu-ci";

/** An id of the user's subordinate range that no session's files belong to. */
const strangerId = "5000";

const mapped = ["unshare", "--user", "--map-auto", "--map-root-user"];

/** That command as somebody who is a stranger to us: to files, processes and sockets alike. */
export function asStranger(argv) {
  return [
    ...mapped,
    ...["setpriv", `--reuid=${strangerId}`, `--regid=${strangerId}`],
    ...["--clear-groups", "--", ...argv],
  ];
}

/** That command with rights over all that belongs to us and to our subordinate ids. */
export function asOwnerOfAll(argv) {
  return [...mapped, ...argv];
}

/** Gives a file to the stranger. */
export function giveToStranger(file) {
  const argv = asOwnerOfAll([
    ...["chown", "--no-dereference", `${strangerId}:${strangerId}`, file],
  ]);
  const { status, stderr } = spawnSync(argv[0], argv.slice(1), {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`${argv.join(" ")}: ${stderr}`);
}

/**
 * Nothing here runs as root: root starts the suite once more as the system user, and ends as it
 * did. A plain user simply goes on.
 */
export function becomePlainUser() {
  if (process.geteuid() !== 0) return;
  const known = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .some((line) => line.startsWith(`${systemUser}:`));
  if (!known) {
    console.error(
      `attack: there is no user ${systemUser}: maintenance/check makes it`,
    );
    process.exit(78);
  }
  const folder = mkdtempSync(join("/var/tmp", "ubuntu-ci-attack-"));
  spawnSync("chown", [`${systemUser}:`, folder]);
  spawnSync("chmod", ["755", folder]);
  const { status } = spawnSync(
    "runuser",
    [
      ...["-u", systemUser, "--", "env", `HOME=${folder}`, `TMPDIR=${folder}`],
      ...[process.execPath, ...process.execArgv, ...process.argv.slice(1)],
    ],
    { stdio: "inherit" },
  );
  if (!process.argv.includes("--keep"))
    rmSync(folder, { recursive: true, force: true });
  process.exit(status ?? 1);
}
