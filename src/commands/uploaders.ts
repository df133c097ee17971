import type { Uploader } from "../lib/tickets/uploaders.ts";
import { pathArgument } from "./arguments.ts";
import { changing } from "./changing.ts";
import type { CommandModule } from "./command.ts";
import { showPlan } from "./plan-text.ts";

export const command: CommandModule = {
  define(command, makeContext) {
    command.addHelpText(
      "after",
      "\nExamples:\n  ubuntu-ci uploaders add alice.asc\n  ubuntu-ci uploaders remove 0123456789ABCDEF0123456789ABCDEF01234567",
    );
    command
      .command("list", { isDefault: true })
      .description("the keys that admission accepts")
      .action(async () => {
        const context = await makeContext();
        const { listUploaders } = await import("../lib/tickets/uploaders.ts");
        const uploaders = await listUploaders(context.paths);
        context.result(
          uploaders
            .map(({ fingerprint, uid }) => `${fingerprint}  ${uid}`)
            .join("\n") || "no uploaders",
          { uploaders },
        );
      });
    command
      .command("add")
      .description("accept the signatures of the keys in a file")
      .argument("<keyfile>", "public key, armoured or not", pathArgument)
      .action(async (file: string) => {
        const context = await makeContext([file]);
        const { addUploader, keysOfFile } =
          await import("../lib/tickets/uploaders.ts");
        const planOf = (keys: readonly Uploader[]) => ({
          command: "uploaders",
          actions: keys.map(
            ({ fingerprint, uid }) => `accept ${fingerprint}  ${uid}`,
          ),
        });
        if (context.options.dryRun === true) {
          showPlan(context, planOf(await keysOfFile(context.readable(file))));
          return;
        }
        const added = await changing(context, "uploaders", async () => {
          const keys = await addUploader(context.paths, context.readable(file));
          await record(
            context,
            "added",
            keys.map(({ fingerprint }) => fingerprint),
          );
          return keys;
        });
        context.result(
          added
            .map(({ fingerprint, uid }) => `${fingerprint}  ${uid}`)
            .join("\n"),
          { plan: planOf(added), uploaders: added },
        );
      });
    command
      .command("remove")
      .description("accept a key's signatures no longer")
      .argument("<fingerprint>", "fingerprint, as list shows it")
      .action(async (fingerprint: string) => {
        const context = await makeContext();
        const { knownFingerprint, removeUploader } =
          await import("../lib/tickets/uploaders.ts");
        const known = knownFingerprint(context.paths, fingerprint);
        const plan = { command: "uploaders", actions: [`remove ${known}`] };
        if (context.options.dryRun === true) {
          showPlan(context, plan);
          return;
        }
        await changing(context, "uploaders", async () => {
          await removeUploader(context.paths, known);
          await record(context, "removed", [known]);
        });
        context.result("", { plan, removed: known });
      });
    const record = async (
      context: Awaited<ReturnType<typeof makeContext>>,
      what: string,
      fingerprints: readonly string[],
    ) => {
      const { openDatabase } = await import("../lib/state/database.ts");
      const { recordEvent } = await import("../lib/state/events.ts");
      const db = openDatabase(context.paths.database);
      for (const id of fingerprints)
        recordEvent(db, {
          actor: context.actor,
          subject: "uploader",
          subject_id: id,
          what,
        });
      db.close();
    };
  },
};
