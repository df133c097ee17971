/**
 * The part of an upgrade that reads or writes the state. It is a process of its own, because root may
 * upgrade the program, but only the state's owner touches the state. Other versions of the program run
 * it, too: its verbs and their arguments must stay as they are. Prints one JSON document.
 *
 *     node state-main.js STATE UPGRADE-ID VERB [ARGUMENT…]
 */
import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";

import { ExitCode, messageOf, UbuntuCiError } from "../../domain/error.ts";
import { isRoot, stateOwner } from "../../host/account.ts";
import { asAccount } from "../../host/become.ts";
import { copyDurably } from "../../files/atomic-file.ts";
import { namesIn } from "../../files/names-in.ts";
import { printJson, printLine } from "../../host/output.ts";
import { environmentOfAccount } from "../../host/environment.ts";
import { runInPlace } from "../../host/exec.ts";
import { statePaths } from "../../host/paths.ts";
import { keepFilesPrivate } from "../../host/umask.ts";
import {
  copyState,
  eventsSince,
  restoreStateFile,
  recordOnce,
  readStateVersion,
} from "../../state/copies.ts";

/** Entries of the state folder that a trial does not share with it. */
const own = /^(?:\.|state\.sqlite|maintenance\.txt$|run$|locks$|log$|scratch$)/;

async function perform(
  root: string,
  id: string,
  verb: string,
  args: readonly string[],
): Promise<unknown> {
  const paths = statePaths(root);
  const trial = join(paths.root, `.upgrade-${id}`);
  const [first = "", second = ""] = args;
  switch (verb) {
    case "version":
      return readStateVersion(paths.database);
    case "since":
      return eventsSince(paths.database, Number(first));
    case "copy":
      return copyState(paths.database, first);
    case "trial":
      // A copy of the state file beside links to the rest, so that the new `doctor` sees the real state.
      mkdirSync(trial, { mode: 0o700 });
      await copyDurably(first, join(trial, "state.sqlite"));
      for (const name of await namesIn(paths.root))
        if (!own.test(name))
          symlinkSync(join(paths.root, name), join(trial, name));
      return { folder: trial };
    case "tidy":
      for (const name of await namesIn(paths.root))
        if (name.startsWith(".upgrade-"))
          rmSync(join(paths.root, name), { recursive: true, force: true });
      return {};
    case "drop":
      for (const file of [first, `${first}.part`])
        rmSync(file, { force: true });
      return {};
    case "put-back":
      await restoreStateFile(first, paths.database);
      return {};
    case "record":
      recordOnce(
        paths.database,
        Number(first),
        JSON.parse(second) as Parameters<typeof recordOnce>[2],
      );
      return {};
    default:
      throw new RangeError(verb);
  }
}

keepFilesPrivate();
const [root = "", id = "", verb = "", ...args] = process.argv.slice(2);
try {
  const owner = isRoot() ? await stateOwner(root, false) : undefined;
  if (owner === undefined) printJson(await perform(root, id, verb, args));
  else {
    const anew = [process.execPath, ...process.argv.slice(1)];
    const ended = await runInPlace(asAccount(owner, anew), {
      cwd: "/",
      env: environmentOfAccount(owner),
    });
    process.exitCode = "exitCode" in ended ? ended.exitCode : ExitCode.notNow;
  }
} catch (thrown) {
  printLine("stderr", messageOf(thrown));
  process.exitCode =
    thrown instanceof UbuntuCiError ? thrown.exitCode : ExitCode.notNow;
}
