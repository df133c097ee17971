import { pathArgument } from "../../cli/arguments.ts";
import type { CommandWithVerbs, NamedVerb } from "../../cli/command.ts";
import type { CommandContext } from "../../cli/context.ts";
import { describePlan } from "../../cli/plan-text.ts";
import type { Plan } from "../../lib/domain/plan.ts";
import { rightsInWords } from "../../lib/domain/package-rights.ts";
import { textOfLines } from "../../lib/domain/shown-text.ts";
import type {
  ListedUploader,
  NewUploader,
  Uploader,
} from "../../lib/tickets/uploaders.ts";

const list: NamedVerb = {
  name: "list",
  summary: "the keys that admission accepts, and for which packages",
  examples: ["uploaders list", "uploaders list --json"],
  changes: false,
  async run({ paths, text, db }) {
    const { listUploaders } = await import("../../lib/tickets/uploaders.ts");
    const { requireUploaders } =
      await import("../../lib/tickets/recorded-uploaders.ts");
    requireUploaders(await db(), paths);
    const { uploaders, ...found } = await listUploaders(paths);
    const unused = found.unused.map((one) => ({
      ...one,
      message: text(one.message),
    }));
    const lines = [
      ...uploaders.flatMap(linesOf),
      ...unused.map(({ where, message }) => `unused: ${where} ${message}`),
    ];
    return {
      text: textOfLines(lines) || "no uploaders",
      value: { uploaders, unused },
    };
  },
};

interface AddOptions {
  readonly keyfile: string;
  readonly packages?: readonly string[];
}

interface AddPlan extends Plan {
  readonly keys: readonly NewUploader[];
}

const add: NamedVerb<AddOptions, AddPlan> = {
  name: "add",
  summary: "accept the signatures of the keys in a file",
  define: (command) =>
    command
      .argument("<keyfile>", "public keys, armoured or not", pathArgument)
      .option(
        "--packages <glob...>",
        "source packages that the keys are good for, with * and ? (default: all; of a key that is there already: as before)",
      ),
  examples: [
    "uploaders add alice.asc",
    "uploaders add bob.asc --packages hello 'python3-*'",
  ],
  notes: `A key that cannot vouch for an upload is refused: expired, revoked, DSA, RSA below 2048 bits, without
a key that may sign, or with self-signatures by SHA-1, RIPEMD-160 or MD5 alone. If one key of a file
is refused, none is added. Adding a key again takes its newer copy; --packages then replaces what it
was good for, and --packages '*' makes it good for all.`,
  changes: true,
  locks: [{ name: "uploaders" }],
  reads: ({ keyfile }) => [keyfile],
  async plan({ paths, readable }, { keyfile, packages }) {
    const { checkUploaders } = await import("../../lib/tickets/uploaders.ts");
    const keys = await checkUploaders(paths, readable(keyfile), packages);
    const actions = keys.map(
      (key) => `accept ${key.fingerprint}  ${key.uid}${rightsPlanned(key)}`,
    );
    return { command: "uploaders", actions, keys };
  },
  // Without the bytes of the keys.
  describe: ({ command, actions }) =>
    describePlan({ command, actions }, command),
  async run(context, _options, plan) {
    const { addUploaders } = await import("../../lib/tickets/uploaders.ts");
    const { keys, ...shown } = await plan();
    await addUploaders(context.paths, keys);
    await record(context, keys.map(eventOfAdding));
    const uploaders = keys.map(({ fingerprint, uid, packages }) => ({
      fingerprint,
      uid,
      packages,
    }));
    return {
      text: textOfLines(keys.map(lineOf)),
      value: { plan: shown, uploaders },
    };
  },
};

interface RemovePlan extends Plan {
  readonly fingerprint: string;
}

const remove: NamedVerb<{ fingerprint: string }, RemovePlan> = {
  name: "remove",
  summary: "accept a key's signatures no longer",
  define: (command) =>
    command.argument("<fingerprint>", "fingerprint, as list shows it"),
  examples: [
    "uploaders remove 0123456789ABCDEF0123456789ABCDEF01234567",
    "uploaders remove 0123456789ABCDEF0123456789ABCDEF01234567 --dry-run",
  ],
  changes: true,
  locks: [{ name: "uploaders" }],
  async plan({ paths }, options) {
    const { knownFingerprint } = await import("../../lib/tickets/uploaders.ts");
    const fingerprint = knownFingerprint(paths, options.fingerprint);
    const actions = [`remove ${fingerprint}`];
    return { command: "uploaders", actions, fingerprint };
  },
  async run(context, _options, makePlan) {
    const { removeUploader } = await import("../../lib/tickets/uploaders.ts");
    const plan = await makePlan();
    const { fingerprint } = plan;
    await removeUploader(context.paths, fingerprint);
    await record(context, [{ subject_id: fingerprint, what: "removed" }]);
    return {
      text: `removed ${fingerprint}`,
      value: { plan, removed: fingerprint },
    };
  },
};

export const command: CommandWithVerbs = {
  examples: [
    "uploaders add alice.asc",
    "uploaders add bob.asc --packages hello 'python3-*'",
    "uploaders remove 0123456789ABCDEF0123456789ABCDEF01234567",
  ],
  verbs: [list, add, remove],
};

interface UploaderEvent {
  readonly subject_id: string;
  readonly what: string;
  readonly from_state?: string;
  readonly to_state?: string;
}

/** Records a change of the uploaders' keyring. */
async function record(
  { db, actor }: CommandContext,
  events: readonly UploaderEvent[],
): Promise<void> {
  const { recordEvent } = await import("../../lib/state/events.ts");
  const state = await db();
  for (const event of events)
    recordEvent(state, { actor, subject: "uploader", ...event });
}

/** The event of accepting a key, with the packages that it was and is accepted for. */
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
