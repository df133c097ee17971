import { wholeNumber } from "../../cli/arguments.ts";
import type { CommandWithVerbs, NamedVerb } from "../../cli/command.ts";
import { refused } from "../../lib/domain/error.ts";
import type { Plan } from "../../lib/domain/plan.ts";
import { textOfLines } from "../../lib/domain/shown-text.ts";
import { advice, remedy } from "../../lib/domain/remedy.ts";

const list: NamedVerb = {
  name: "list",
  summary: "all revisions, newest last",
  changes: false,
  async run(context) {
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
    return {
      text: textOfLines(lines),
      value: { current: current.revision, revisions },
    };
  },
};

const show: NamedVerb<{ revision: number }> = {
  name: "show",
  summary: "what a revision publishes",
  define: (command) =>
    command.argument("<revision>", "number of the revision", wholeNumber),
  changes: false,
  async run(context, { revision }) {
    const found = (await (await context.backends().archive()).revisions()).find(
      (candidate) => candidate.revision === revision,
    );
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
    return { text: textOfLines(lines) || "empty", value: { revision: found } };
  },
};

const revert: NamedVerb<{ revision: number }, Plan> = {
  name: "revert",
  summary: "publish the contents of an older revision again",
  define: (command) =>
    command.argument("<revision>", "number of the revision", wholeNumber),
  changes: true,
  locks: [{ name: "archive" }],
  async plan(context, { revision }) {
    const { planRevert } = await import("../../lib/upkeep/revert-archive.ts");
    return planRevert(context.backends(), revision);
  },
  async run(context, { revision }) {
    const { revertArchive } =
      await import("../../lib/upkeep/revert-archive.ts");
    const engine = await context.engine();
    const { plan, made } = await revertArchive(engine, revision);
    return { text: String(made.revision), value: { plan, revision: made } };
  },
};

export const command: CommandWithVerbs = {
  examples: ["archive list", "archive revert 6"],
  verbs: [list, show, revert],
};
