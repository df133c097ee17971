import type { CommandWithVerbs, NamedVerb } from "../../cli/command.ts";
import type { CommandContext } from "../../cli/context.ts";
import { refused } from "../../lib/domain/error.ts";
import type { Plan } from "../../lib/domain/plan.ts";
import { isPpaName } from "../../lib/domain/ppa-name.ts";
import { textOfLines } from "../../lib/domain/shown-text.ts";

const list: NamedVerb = {
  name: "list",
  summary: "the PPAs of the pool and their states",
  changes: false,
  async run(context) {
    const { listPpas } = await import("../../lib/state/ppas.ts");
    const ppas = listPpas(await context.db());
    const lines = ppas.map(
      ({ name, state, ticket, since }) =>
        `${name}  ${state}${ticket === null ? "" : `  ticket ${ticket}`}  since ${since}`,
    );
    return {
      text: textOfLines(lines) || "the pool is empty",
      value: { ppas },
    };
  },
};

interface AddPlan extends Plan {
  /** Names of the PPAs that do not exist yet. */
  readonly add: readonly string[];
}

const adding = {
  changes: true,
  locks: [{ name: "ppa" }],
  async run(
    context: CommandContext,
    _options: object,
    makePlan: () => Promise<AddPlan>,
  ) {
    const plan = await makePlan();
    const { addPpa } = await import("../../lib/state/ppas.ts");
    const { cleanPpas } = await import("../../lib/engine/clean-ppas.ts");
    const engine = await context.engine();
    for (const name of plan.add) addPpa(engine.db, name, context.actor);
    await cleanPpas(engine);
    return { text: plan.add.join("\n"), value: { plan, added: plan.add } };
  },
} as const;

const add: NamedVerb<{ name: string }, AddPlan> = {
  name: "add",
  summary: "add a PPA to the pool",
  define: (command) => command.argument("<name>", "name of the PPA"),
  check({ name }) {
    if (!isPpaName(name))
      throw refused(
        `${JSON.stringify(name)} is not the name of a PPA`,
        "lower-case letters, digits, + . _ -, at most 63, and not `archive`",
      );
  },
  plan: (context, { name }) => planOf(context, [name]),
  ...adding,
};

const populate: NamedVerb<object, AddPlan> = {
  name: "populate",
  summary: "fill the pool up to `ppa.pool` PPAs",
  async plan(context) {
    const { poolNames } = await import("../../lib/upkeep/init.ts");
    return planOf(context, poolNames(context.config));
  },
  ...adding,
};

export const command: CommandWithVerbs = {
  examples: ["ppa list", "ppa add ci_pool-005", "ppa populate"],
  verbs: [list, add, populate],
};

async function planOf(
  context: CommandContext,
  names: readonly string[],
): Promise<AddPlan> {
  const { listPpas } = await import("../../lib/state/ppas.ts");
  const pool = listPpas(await context.db());
  const missing = names.filter(
    (name) => !pool.some((ppa) => ppa.name === name),
  );
  return {
    command: "ppa",
    actions: missing.map((name) => `add ${name}`),
    add: missing,
  };
}
