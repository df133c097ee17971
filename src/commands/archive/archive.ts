import { textOfLines } from "../../lib/domain/shown-text.ts";
import { wholeNumber } from "../../cli/arguments.ts";
import { refused } from "../../lib/domain/error.ts";
import { withCommandLock } from "../../cli/with-command-lock.ts";
import type { CommandModule } from "../../cli/command.ts";
import { showPlan } from "../../cli/plan-text.ts";
import { advice, remedy } from "../../lib/domain/remedy.ts";

export const command: CommandModule = {
  define(command, makeContext) {
    command.addHelpText(
      "afterAll",
      "\nExamples:\n  ubuntu-ci archive list\n  ubuntu-ci archive revert 6",
    );
    command
      .command("list", { isDefault: true })
      .description("all revisions, newest last")
      .action(async () => {
        const context = await makeContext();
        const archive = await context.backends().archive();
        const revisions = await archive.revisions();
        const current = await archive.current();
        const lines = revisions.map(
          ({ revision, created_at, ticket, reverts_to }) => {
            const why =
              ticket !== null
                ? `ticket ${ticket}`
                : reverts_to !== null
                  ? `back to ${reverts_to}`
                  : "init";
            return `${revision}  ${created_at}  ${why}${revision === current.revision ? "  current" : ""}`;
          },
        );
        context.result(textOfLines(lines), {
          current: current.revision,
          revisions,
        });
      });
    command
      .command("show")
      .description("what a revision publishes")
      .argument("<revision>", "number of the revision", wholeNumber)
      .action(async (revision: number) => {
        const context = await makeContext();
        const found = (
          await (await context.backends().archive()).revisions()
        ).find((candidate) => candidate.revision === revision);
        if (found === undefined)
          throw refused(
            `there is no revision ${revision}`,
            advice`${remedy("archive list")} shows them`,
          );
        const lines = Object.entries(found.publications).flatMap(
          ([series, publications]) =>
            publications.map(
              ({ kind, name, version, architecture }) =>
                `${series}  ${kind}  ${name}  ${version}  ${architecture}`,
            ),
        );
        context.result(textOfLines(lines) || "empty", { revision: found });
      });
    command
      .command("revert")
      .description("publish the contents of an older revision again")
      .argument("<revision>", "number of the revision", wholeNumber)
      .action(async (revision: number) => {
        const context = await makeContext();
        const { planRevert, revertArchive } =
          await import("../../lib/upkeep/revert-archive.ts");
        if (context.options.dryRun === true) {
          showPlan(context, await planRevert(context.backends(), revision));
          return;
        }
        const { plan, made } = await withCommandLock(
          context,
          "archive",
          async () => revertArchive(await context.engine(), revision),
        );
        context.result(String(made.revision), { plan, revision: made });
      });
  },
};
