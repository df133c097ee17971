import { nearest } from "./nearest.ts";
import type { Countable, Policy, Requirement, Rule } from "./policy.ts";
import { countings, requirements, usualCounts, usualRule } from "./policy.ts";

/** What is wrong with a policy: the field, such as `rules[2].counts.flaky`, and why. */
export interface PolicyProblem {
  /** The keys and positions that lead to it; empty: the policy itself. */
  readonly path: readonly (string | number)[];
  readonly message: string;
}

const mostRules = 1000;
const mostGlobs = 1000;
const longestGlob = 128;

/** The fields of a rule that say what it is about, by requirement. */
const scopes: Readonly<Record<Requirement, readonly Scope[]>> = {
  built: ["series", "architectures", "sources"],
  image: ["series", "architectures"],
  tests: ["series", "architectures", "sources", "tests"],
};
type Scope = "series" | "architectures" | "sources" | "tests";

/** What may be found of each requirement, besides what never counts. */
const countable: Readonly<Record<Requirement, readonly Countable[]>> = {
  built: ["fail", "missing"],
  image: ["fail", "missing"],
  tests: Object.keys(countings) as Countable[],
};

const scopeWords: Readonly<Record<Scope, string>> = {
  series: "series",
  architectures: "architectures",
  sources: "source packages",
  tests: "tests",
};

/** A policy as it is written and shown: each rule with the fields that it may have. */
export function writtenPolicy({ rules }: Policy): {
  readonly rules: readonly object[];
} {
  return {
    rules: rules.map((rule) => ({
      requirement: rule.requirement,
      ...(rule.required ? {} : { required: false }),
      ...Object.fromEntries(
        scopes[rule.requirement].map((scope) => [scope, rule[scope]]),
      ),
      ...(rule.required && {
        counts: Object.fromEntries(
          countable[rule.requirement].map((name) => [name, rule.counts[name]]),
        ),
      }),
    })),
  };
}

/**
 * Checks a policy that was read.
 *
 * @returns the policy, or all that is wrong with it
 */
export function checkPolicy(
  contents: unknown,
): { readonly policy: Policy } | { readonly problems: PolicyProblem[] } {
  const problems: PolicyProblem[] = [];
  const rules = checkTop(contents, problems);
  return problems.length === 0 ? { policy: { rules } } : { problems };
}

function checkTop(contents: unknown, problems: PolicyProblem[]): Rule[] {
  if (!isTable(contents)) {
    problems.push({
      path: [],
      message: "is no policy, which is a table with `rules`",
    });
    return [];
  }
  for (const key of Object.keys(contents))
    // `set` is what `policy show --json` tells besides.
    if (key !== "rules" && key !== "set")
      problems.push(unknownField([key], key, ["rules"]));
  const { rules } = contents;
  if (!Array.isArray(rules))
    problems.push({
      path: ["rules"],
      message: "must be a list of rules; `rules: []` requires nothing",
    });
  else if (rules.length > mostRules)
    problems.push({
      path: ["rules"],
      message: `has ${rules.length} rules, which are more than ${mostRules}`,
    });
  else
    return rules.flatMap(
      (rule: unknown, index) =>
        checkRule(rule, ["rules", index], problems) ?? [],
    );
  return [];
}

function checkRule(
  rule: unknown,
  path: PolicyProblem["path"],
  problems: PolicyProblem[],
): Rule | undefined {
  if (!isTable(rule)) {
    problems.push({ path, message: "must be a table with `requirement`" });
    return undefined;
  }
  const say = (field: string, message: string) =>
    problems.push({ path: [...path, field], message });
  const requirement = requirements.find((one) => one === rule["requirement"]);
  if (requirement === undefined)
    say("requirement", `must be one of ${requirements.join(", ")}`);
  const known = [
    "requirement",
    "required",
    ...Object.keys(scopeWords),
    "counts",
  ];
  for (const key of Object.keys(rule))
    if (!known.includes(key))
      problems.push(unknownField([...path, key], key, known));
  const { required = true, counts } = rule;
  if (typeof required !== "boolean") say("required", "must be true or false");
  const scope: Partial<Record<Scope, readonly string[]>> = {};
  for (const name of Object.keys(scopeWords) as Scope[]) {
    if (rule[name] === undefined) continue;
    if (requirement !== undefined && !scopes[requirement].includes(name))
      say(name, `does not tell apart what ${requirement} is about`);
    else scope[name] = checkGlobs(name, rule[name], [...path, name], problems);
  }
  if (counts !== undefined && required === false)
    say("counts", "has no effect where nothing is required");
  const made = usualRule(requirement ?? "tests");
  return {
    ...made,
    ...scope,
    required: required !== false,
    counts: {
      ...made.counts,
      ...checkCounts(counts, requirement, [...path, "counts"], problems),
    },
  };
}

function checkGlobs(
  name: Scope,
  value: unknown,
  path: PolicyProblem["path"],
  problems: PolicyProblem[],
): readonly string[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > mostGlobs) {
    problems.push({
      path,
      message: `must be a list of names of ${scopeWords[name]}, with * for any characters and ? for one`,
    });
    return [];
  }
  return value.flatMap((glob: unknown, index) => {
    const message =
      typeof glob !== "string"
        ? "must be a text"
        : glob.length > longestGlob
          ? `is longer than ${longestGlob} characters`
          : /^[A-Za-z0-9*?][A-Za-z0-9+._*?-]*$/.test(glob)
            ? undefined
            : `${JSON.stringify(glob)} is no name, with * for any characters and ? for one`;
    if (message === undefined) return glob as string;
    problems.push({ path: [...path, index], message });
    return [];
  });
}

function checkCounts(
  value: unknown,
  requirement: Requirement | undefined,
  path: PolicyProblem["path"],
  problems: PolicyProblem[],
): Partial<Rule["counts"]> {
  if (value === undefined) return {};
  if (!isTable(value)) {
    problems.push({
      path,
      message: "must be a table of what is found, and what it counts as",
    });
    return {};
  }
  const names = countable[requirement ?? "tests"];
  const entries = Object.entries(value).flatMap(([name, counted]) => {
    const of = [...path, name];
    const found = names.find((one) => one === name);
    if (found === undefined) {
      problems.push(uncountable(of, name, names, requirement));
      return [];
    }
    const allowed: readonly unknown[] = countings[found];
    if (allowed.includes(counted)) return [[found, counted] as const];
    const why =
      found === "missing" ? ": nothing has failed where nothing was found" : "";
    problems.push({
      path: of,
      message: `must be one of ${countings[found].join(", ")}${why}`,
    });
    return [];
  });
  return Object.fromEntries(entries) as Partial<Rule["counts"]>;
}

function uncountable(
  path: PolicyProblem["path"],
  name: string,
  names: readonly Countable[],
  requirement: Requirement | undefined,
): PolicyProblem {
  if (name === "infrastructure" || name === "running" || name === "waived")
    return {
      path,
      message: `is never counted: it is no result of a package`,
    };
  if (name in usualCounts)
    return { path, message: `is never found of ${requirement ?? ""}` };
  return unknownField(path, name, names);
}

function unknownField(
  path: PolicyProblem["path"],
  name: string,
  known: readonly string[],
): PolicyProblem {
  const meant = nearest(name, [...known]);
  return {
    path,
    message: `is not known${meant === undefined ? "" : `; did you mean ${meant}?`}`,
  };
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
