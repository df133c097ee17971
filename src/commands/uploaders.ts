import { pathArgument } from "./arguments.ts";
import { changing } from "./changing.ts";
import type { CommandModule } from "./index.ts";

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
        if (context.options.dryRun === true) {
          context.result(`accept the keys in ${file}`, { add: file });
          return;
        }
        const added = await changing(context, "uploaders", async () => {
          const { addUploader } = await import("../lib/tickets/uploaders.ts");
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
          { uploaders: added },
        );
      });
    command
      .command("remove")
      .description("accept a key's signatures no longer")
      .argument("<fingerprint>", "fingerprint, as list shows it")
      .action(async (fingerprint: string) => {
        const context = await makeContext();
        if (context.options.dryRun === true) {
          context.result(`remove ${fingerprint}`, { remove: fingerprint });
          return;
        }
        await changing(context, "uploaders", async () => {
          const { removeUploader } =
            await import("../lib/tickets/uploaders.ts");
          await removeUploader(context.paths, fingerprint);
          await record(context, "removed", [fingerprint]);
        });
        context.result("", { removed: fingerprint });
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
