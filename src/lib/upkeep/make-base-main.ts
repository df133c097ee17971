/**
 * Makes the base of a series unless there is one. It does not use the database, because
 * maintenance/quickstart compiles the library for that at the same time. `init` records the base later.
 *
 *     node make-base-main.js STATE SERIES
 */
import { loadConfig } from "../config/config.ts";
import { ExitCode, messageOf, UbuntuCiError } from "../domain/error.ts";
import { adviceText } from "../host/command-line.ts";
import { printLine } from "../host/output.ts";
import { statePaths } from "../host/paths.ts";
import { keepFilesPrivate } from "../host/umask.ts";
import { findBase } from "../session/find-layer.ts";
import { makeBase } from "../session/make-base.ts";

keepFilesPrivate();
const [root = "", series = ""] = process.argv.slice(2);
const paths = statePaths(root);
try {
  if ((await findBase(paths.layers, series)) === undefined)
    await makeBase(paths, series, await loadConfig(undefined, paths.root));
} catch (thrown) {
  printLine("stderr", messageOf(thrown));
  const known = thrown instanceof UbuntuCiError;
  if (known && thrown.hint !== undefined)
    printLine("stderr", adviceText(thrown.hint));
  process.exitCode = known ? thrown.exitCode : ExitCode.notNow;
}
