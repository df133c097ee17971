import { rightsInWords } from "../../lib/domain/package-rights.ts";
import { textOfLines } from "../../lib/domain/shown-text.ts";
import type {
  ListedUploader,
  NewUploader,
  Uploader,
} from "../../lib/tickets/uploaders.ts";
import { pathArgument } from "../../cli/arguments.ts";
import { withCommandLock } from "../../cli/with-command-lock.ts";
import type { CommandModule } from "../../cli/command.ts";
import { showPlan } from "../../cli/plan-text.ts";

export const command: CommandModule = {
  define(command, makeContext) {
    command.addHelpText(
      "after",
      `
Examples:
  ubuntu-ci uploaders add alice.asc
  ubuntu-ci uploaders add bob.asc --packages hello 'python3-*'
  ubuntu-ci uploaders remove 0123456789ABCDEF0123456789ABCDEF01234567`,
    );
    command
      .command("list", { isDefault: true })
      .description("the keys that admission accepts, and for which packages")
      .addHelpText(
        "after",
        "\nExamples:\n  ubuntu-ci uploaders list\n  ubuntu-ci uploaders list --json",
      )
      .action(async () => {
        const context = await makeContext();
        const { listUploaders } =
          await import("../../lib/tickets/uploaders.ts");
        const { uploaders, ...found } = await listUploaders(context.paths);
        const unused = found.unused.map((one) => ({
          ...one,
          message: context.text(one.message),
        }));
        const lines = [
          ...uploaders.flatMap(linesOf),
          ...unused.map(({ where, message }) => `unused: ${where} ${message}`),
        ];
        context.result(textOfLines(lines) || "no uploaders", {
          uploaders,
          unused,
        });
      });
    command
      .command("add")
      .description("accept the signatures of the keys in a file")
      .argument("<keyfile>", "public keys, armoured or not", pathArgument)
      .option(
        "--packages <glob...>",
        "source packages that the keys are good for, with * and ? (default: all; of a key that is there already: as before)",
      )
      .addHelpText(
        "after",
        `
A key that cannot vouch for an upload is refused: expired, revoked, DSA, RSA below 2048 bits, without
a key that may sign, or with self-signatures by SHA-1, RIPEMD-160 or MD5 alone. If one key of a file
is refused, none is added. Adding a key again takes its newer copy; --packages then replaces what it
was good for, and --packages '*' makes it good for all.

Examples:
  ubuntu-ci uploaders add alice.asc
  ubuntu-ci uploaders add bob.asc --packages hello 'python3-*'`,
      )
      .action(async (file: string, { packages }: { packages?: string[] }) => {
        const context = await makeContext([file]);
        const { addUploaders, checkUploaders } =
          await import("../../lib/tickets/uploaders.ts");
        const check = () =>
          checkUploaders(context.paths, context.readable(file), packages);
        if (context.options.dryRun === true) {
          showPlan(context, planOf(await check()));
          return;
        }
        const added = await withCommandLock(context, "uploaders", async () => {
          const keys = await check();
          await addUploaders(context.paths, keys);
          await record(context, keys.map(eventOfAdding));
          return keys;
        });
        context.result(textOfLines(added.map(lineOf)), {
          plan: planOf(added),
          uploaders: added.map(({ fingerprint, uid, packages }) => ({
            fingerprint,
            uid,
            packages,
          })),
        });
      });
    command
      .command("remove")
      .description("accept a key's signatures no longer")
      .argument("<fingerprint>", "fingerprint, as list shows it")
      .addHelpText(
        "after",
        `
Examples:
  ubuntu-ci uploaders remove 0123456789ABCDEF0123456789ABCDEF01234567
  ubuntu-ci uploaders remove 0123456789ABCDEF0123456789ABCDEF01234567 --dry-run`,
      )
      .action(async (fingerprint: string) => {
        const context = await makeContext();
        const { knownFingerprint, removeUploader } =
          await import("../../lib/tickets/uploaders.ts");
        const known = knownFingerprint(context.paths, fingerprint);
        const plan = { command: "uploaders", actions: [`remove ${known}`] };
        if (context.options.dryRun === true) {
          showPlan(context, plan);
          return;
        }
        await withCommandLock(context, "uploaders", async () => {
          await removeUploader(context.paths, known);
          await record(context, [{ subject_id: known, what: "removed" }]);
        });
        context.result("", { plan, removed: known });
      });
    const record = async (
      context: Awaited<ReturnType<typeof makeContext>>,
      events: readonly UploaderEvent[],
    ) => {
      const { openDatabase } = await import("../../lib/state/database.ts");
      const { recordEvent } = await import("../../lib/state/events.ts");
      const db = openDatabase(context.paths.database);
      for (const event of events)
        recordEvent(db, {
          actor: context.actor,
          subject: "uploader",
          ...event,
        });
      db.close();
    };
  },
};

interface UploaderEvent {
  readonly subject_id: string;
  readonly what: string;
  readonly from_state?: string;
  readonly to_state?: string;
}

/** What a key is good for is the state it is in. */
function eventOfAdding({
  fingerprint,
  packages,
  before,
}: NewUploader): UploaderEvent {
  return {
    subject_id: fingerprint,
    what: before === undefined ? "added" : "added again",
    ...(before !== undefined && { from_state: rightsInWords(before) }),
    to_state: rightsInWords(packages),
  };
}

function planOf(keys: readonly NewUploader[]) {
  return {
    command: "uploaders",
    actions: keys.map(
      (key) => `accept ${key.fingerprint}  ${key.uid}${rightsPlanned(key)}`,
    ),
  };
}

function rightsPlanned({ packages, before }: NewUploader): string {
  const rights = rightsInWords(packages);
  if (before === undefined) return packages === null ? "" : `, for ${rights}`;
  const was = rightsInWords(before);
  return rights === was
    ? `, for ${rights} as before`
    : `, for ${rights} instead of ${was}`;
}

function lineOf({ fingerprint, uid, packages }: Uploader): string {
  const limits = packages === null ? "" : `  only ${rightsInWords(packages)}`;
  return `${fingerprint}  ${uid}${limits}`;
}

function linesOf(uploader: ListedUploader): string[] {
  return [
    lineOf(uploader),
    ...uploader.problems.map((problem) => `  refused: ${problem}`),
  ];
}
