import {
  landingNumber,
  reasonArgument,
  wholeNumber,
} from "../../cli/arguments.ts";
import type { CommandWithVerbs, NamedVerb } from "../../cli/command.ts";
import type {
  Publication,
  RevisionRecord,
} from "../../lib/backends/archive/archive.ts";
import { refused } from "../../lib/domain/error.ts";
import type { Plan } from "../../lib/domain/plan.ts";
import type { PromotionPlan } from "../../lib/domain/promotion.ts";
import { stableSuite } from "../../lib/domain/promotion.ts";
import { textOfLines } from "../../lib/domain/shown-text.ts";

const list: NamedVerb = {
  name: "list",
  summary: "all revisions, newest last: what each changed, by whom and why",
  changes: false,
  async run(context) {
    const archive = await context.backends().archive();
    const revisions = await archive.revisions();
    const current = await archive.current();
    const [{ changeInWords }, { revisionMakers }] = await Promise.all([
      import("../../lib/backends/archive/revision-changes.ts"),
      import("../../lib/state/revision-makers.ts"),
    ]);
    const makerOf = revisionMakers(await context.db());
    const told = revisions.map((revision) => ({
      ...revision,
      ...makerOf(revision.revision, revision.ticket),
    }));
    const lines = told.map((revision) =>
      [
        ...[String(revision.revision), revision.created_at, originOf(revision)],
        revision.changes.map(changeInWords).join(", "),
        revision.by === null ? "" : `${revision.by}: ${revision.why ?? ""}`,
        revision.revision === current.revision ? "current" : "",
      ]
        .filter((part) => part !== "")
        .join("  "),
    );
    return {
      text: textOfLines(lines),
      value: { current: current.revision, revisions: told },
    };
  },
};

function originOf({ ticket, reverts_to, undoes }: RevisionRecord): string {
  if (ticket !== null) return `ticket ${ticket}`;
  if (undoes !== undefined) return `without ${undoes}`;
  return reverts_to !== null ? `back to ${reverts_to}` : "init";
}

/** By source package, the source before its binaries. */
function bySource(one: Publication, other: Publication): number {
  if (one.source !== other.source) return one.source < other.source ? -1 : 1;
  return Number(one.kind === "binary") - Number(other.kind === "binary");
}

const show: NamedVerb<{ revision: number }> = {
  name: "show",
  summary: "what a revision publishes",
  define: (command) =>
    command.argument("<revision>", "number of the revision", wholeNumber),
  changes: false,
  async run(context, { revision }) {
    const found = await (await context.backends().archive()).read(revision);
    const lines = Object.entries(found.publications).flatMap(
      ([series, publications]) =>
        [...publications]
          .sort(bySource)
          .map(
            ({ kind, name, version, architecture }) =>
              `${series}  ${kind}  ${name}  ${version}  ${architecture}`,
          ),
    );
    return { text: textOfLines(lines) || "empty", value: { revision: found } };
  },
};

const revert: NamedVerb<{ revision: number; reason: string }, Plan> = {
  name: "revert",
  summary: "publish the contents of an older revision again",
  define: (command) =>
    command
      .argument("<revision>", "number of the revision", wholeNumber)
      .requiredOption(
        "--reason <text>",
        "why, for all to read (required)",
        reasonArgument,
      ),
  changes: true,
  locks: [{ name: "archive" }],

  async plan(context, { revision }) {
    const { planRevert } = await import("../../lib/upkeep/revert-archive.ts");
    return planRevert(context.backends(), revision);
  },
  async run(context, { revision, reason }) {
    const { revertArchive } =
      await import("../../lib/upkeep/revert-archive.ts");
    const engine = await context.engine();
    const { plan, made } = await revertArchive(engine, revision, reason);
    return { text: String(made.revision), value: { plan, revision: made } };
  },
};

const undo: NamedVerb<{ revision: number; reason: string }, Plan> = {
  name: "undo",
  summary: "take one landing back out, and keep the later ones",
  define: (command) =>
    command
      .argument("<revision>", "number of the landing's revision", landingNumber)
      .requiredOption(
        "--reason <text>",
        "why, for all to read (required)",
        reasonArgument,
      ),
  changes: true,
  locks: [{ name: "archive", patient: true }],
  examples: [
    'archive undo 6 --reason "6 breaks logins"',
    'archive undo 6 --reason "6 breaks logins" --dry-run',
  ],
  notes: `Clients that have its packages keep them: apt goes back only when it is told to, as with
\`apt install PACKAGE=VERSION --allow-downgrades\`. A higher version that lands reaches all.`,
  async plan(context, { revision }) {
    const { planUndo } = await import("../../lib/upkeep/undo-landing.ts");
    return planUndo(await context.engine(), revision);
  },
  async run(context, { revision, reason }, makePlan) {
    const plan = await makePlan();
    const { undoLanding } = await import("../../lib/upkeep/undo-landing.ts");
    const engine = await context.engine();
    const made = await undoLanding(engine, revision, reason);
    return { text: String(made.revision), value: { plan, revision: made } };
  },
};

interface PromoteOptions {
  revision?: number;
  series?: string;
  force?: true;
  reason?: string;
}

const promote: NamedVerb<PromoteOptions, PromotionPlan> = {
  name: "promote",
  summary: "have clients of SERIES-stable see a revision",
  define: (command) =>
    command
      .argument(
        "[revision]",
        "number of the revision (default: the deployable one)",
        landingNumber,
      )
      .option(
        "--series <series>",
        "the series (default: the first that is configured)",
      )
      .option("--force", "also one that is not deployable (default: no)")
      .option(
        "--reason <text>",
        "why, for all to read (required with --force)",
        reasonArgument,
      ),
  changes: true,
  locks: [{ name: "archive", patient: true }],
  examples: [
    "archive promote",
    'archive promote 7 --force --reason "the fix cannot wait"',
  ],
  notes: `Clients follow it with \`apt-source archive --stable\`. Those that have newer packages keep them: apt
goes back only when it is told to, as with \`apt install PACKAGE=VERSION --allow-downgrades\`.`,
  check({ force, reason }) {
    if (force === true && reason === undefined)
      throw refused("--force needs a reason", "--reason TEXT");
  },
  async plan(context, options) {
    const { planPromote } = await import("../../lib/upkeep/promote.ts");
    return planPromote(await context.engine(), requestOf(options));
  },
  async run(context, options) {
    const { promote: promoteNow } = await import("../../lib/upkeep/promote.ts");
    const plan = await promoteNow(await context.engine(), requestOf(options));
    const { series, revision } = plan;
    return {
      text: `${stableSuite(series)} shows revision ${revision}`,
      value: { plan, series, suite: stableSuite(series), revision },
    };
  },
};

const requestOf = ({ revision, series, force, reason }: PromoteOptions) => ({
  revision: revision ?? null,
  series,
  force: force === true,
  reason: reason ?? null,
});

const resign: NamedVerb<object, Plan> = {
  name: "resign",
  summary: "sign the archive anew before it runs out, as cron does",
  changes: true,
  // The archive would end for its clients while maintenance lasts. Only a restore may not replace it meanwhile.
  inMaintenance: true,
  locks: [
    { name: "archive", patient: true },
    { name: "restore", patient: true },
  ],
  notes: `Clients take the archive for outdated \`archive.validDays\` after it was published or signed last. This
makes no revision, and runs in maintenance, too.`,
  async plan(context) {
    const { planResign } = await import("../../lib/upkeep/sign-archive.ts");
    return planResign(context.config);
  },
  async run(context) {
    const archive = await context.backends().archive();
    await archive.current();
    await archive.resign();
    const signing = await archive.signing();
    const until = signing?.endsFirst?.validUntil ?? null;
    return {
      text: until === null ? "not signed" : `valid until ${until}`,
      value: { valid_until: until, signed_by: signing?.signedBy ?? [] },
    };
  },
};

const rotateKey: NamedVerb<{ finish?: true; force?: true }, Plan> = {
  name: "rotate-key",
  summary: "sign with a new key beside the old one, then with it alone",
  define: (command) =>
    command
      .option("--finish", "retire the old key (default: no)")
      .option(
        "--force",
        "with --finish: before archive.keyOverlapDays (default: no)",
      ),
  check({ finish, force }) {
    if (force === true && finish !== true)
      throw refused("--force goes with --finish");
  },
  changes: true,
  locks: [{ name: "archive", patient: true }],
  examples: ["archive rotate-key", "archive rotate-key --finish"],
  notes: `Without options it makes a new key. Both keys sign from then on, and \`apt-source\` prints both: clients
that have either one go on. Once clients have the new one, --finish has it sign alone and removes the
old private key.`,
  async plan(context, options) {
    const { planRotation } = await import("../../lib/upkeep/sign-archive.ts");
    const archive = await context.backends().archive();
    return planRotation(archive, context.config, rotationOf(options));
  },
  async run(context, options, makePlan) {
    const plan = await makePlan();
    const { rotateKey: rotate } =
      await import("../../lib/upkeep/sign-archive.ts");
    const signedBy = await rotate(await context.engine(), rotationOf(options));
    return {
      text: textOfLines(signedBy),
      value: { plan, signed_by: signedBy },
    };
  },
};

const rotationOf = ({ finish, force }: { finish?: true; force?: true }) => ({
  finish: finish === true,
  force: force === true,
});

export const command: CommandWithVerbs = {
  examples: ["archive list", 'archive revert 6 --reason "7 breaks logins"'],
  verbs: [list, show, undo, revert, promote, resign, rotateKey],
};
