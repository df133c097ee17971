import { readFileSync, statSync } from "node:fs";
import { basename } from "node:path";

import { CORE_SCHEMA, load, YAMLException } from "js-yaml";

import { messageOf, refused, refusedWith } from "../domain/error.ts";
import type { PolicyProblem } from "../domain/policy-check.ts";
import { checkPolicy } from "../domain/policy-check.ts";
import type { Policy } from "../domain/policy.ts";

const largestKiB = 256;

/** How many problems of a policy are told. */
const mostProblems = 100;

/** A policy as it was written. */
export interface WrittenPolicy {
  readonly policy: Policy;
  readonly text: string;
}

/**
 * The default policy as a person would write it. `policy show` prints it where none was set.
 */
export const defaultPolicyText = `# What a ticket needs before it is published. Of the rules about a source package and each of its
# tests, the first whose names match decides; what no rule is about is not required.
#   requirement: built (each source package, on each architecture), image, or tests
#   series, architectures, sources, tests: names, with * and ?; each name of a test has to find one
#   required: false  exempts what the rule matches from the rules below it
#   counts: what each result counts as: pass or fail; nothing at all (missing) is missing or passes
# Our own trouble (infrastructure) is tried again, and never counts as a result.
rules:
  - requirement: built
    series: ["*"]
    architectures: ["*"]
    sources: ["*"]
    counts: { fail: fail, missing: missing }
  - requirement: image
    series: ["*"]
    architectures: ["*"]
    counts: { fail: fail, missing: missing }
  - requirement: tests
    series: ["*"]
    architectures: ["*"]
    sources: ["*"]
    tests: ["*"]
    counts:
      pass: pass
      skip: pass
      flaky: pass
      neutral: pass
      fail: fail
      missing: missing
`;

/**
 * Reads a policy, YAML or JSON.
 *
 * @throws UbuntuCiError (2) with every problem, each with its line and field
 */
export function readPolicyFile(file: string, path = file): WrittenPolicy {
  let text;
  try {
    if (statSync(path).size > largestKiB * 1024)
      throw new RangeError(`it is larger than ${largestKiB} KiB`);
    text = readFileSync(path, "utf8");
  } catch (thrown) {
    throw refused(`the policy ${file} cannot be read: ${messageOf(thrown)}`);
  }
  return { policy: parsePolicy(text, basename(file)), text };
}

/** {@link readPolicyFile}, of a text. */
export function parsePolicy(text: string, name: string): Policy {
  const root: Node = { line: 1, children: [], result: undefined };
  let contents: unknown;
  try {
    const open = [root];
    // JSON is YAML, too.
    contents = load(text, {
      schema: CORE_SCHEMA,
      listener(what, state) {
        if (what === "open")
          open.push({ line: state.line + 1, children: [], result: undefined });
        else {
          const node = open.pop();
          if (node === undefined) return;
          node.result = state.result;
          open.at(-1)?.children.push(node);
        }
      },
    });
  } catch (thrown) {
    if (!(thrown instanceof YAMLException)) throw thrown;
    const line = thrown.mark === undefined ? "" : `:${thrown.mark.line + 1}`;
    throw wrong(name, [{ where: `${name}${line}`, message: thrown.reason }]);
  }
  const checked = checkPolicy(contents);
  if ("policy" in checked) return checked.policy;
  const more = checked.problems.length - mostProblems;
  throw wrong(name, [
    // The line of each is looked for among all that there is.
    ...checked.problems.slice(0, mostProblems).map(({ path, message }) => ({
      where: `${name}:${lineOf(root, path)}`,
      ...(path.length > 0 && { field: fieldOf(path) }),
      message,
    })),
    ...(more > 0 ? [{ where: name, message: `and ${more} more` }] : []),
  ]);
}

type Problems = Parameters<typeof refusedWith>[1];

function wrong(name: string, problems: Problems) {
  return refusedWith(`${name} is not a policy; nothing was changed`, problems);
}

/** A part of a YAML document, and where it begins. */
interface Node {
  readonly line: number;
  readonly children: Node[];
  result: unknown;
}

/** The line of a field, or of the nearest part around it that is there. */
function lineOf(root: Node, path: PolicyProblem["path"]): number {
  let at = root.children.at(-1) ?? root;
  let { line } = at;
  for (const key of path) {
    at = unwrapped(at);
    const next =
      typeof key === "number"
        ? { line: at.children[key]?.line, value: at.children[key] }
        : entryOf(at, key);
    if (next?.line === undefined) return line;
    line = next.line;
    if (next.value === undefined) return line;
    at = next.value;
  }
  return line;
}

/** The loader takes some collections for the key of a mapping at first, and so for a part of themselves. */
function unwrapped(node: Node): Node {
  const [only, ...more] = node.children;
  return only !== undefined &&
    more.length === 0 &&
    typeof only.result === "object" &&
    only.result === node.result
    ? unwrapped(only)
    : node;
}

/** An entry of a mapping, whose keys and values follow each other; a value that is not written is no node. */
function entryOf(
  { children, result }: Node,
  wanted: string,
): { line: number; value: Node | undefined } | undefined {
  const values = (result ?? {}) as Readonly<Record<string, unknown>>;
  for (let index = 0; index < children.length; index += 1) {
    const key = children[index];
    const after = children[index + 1];
    const name = String(key?.result);
    const hasValue = after !== undefined && values[name] === after.result;
    if (key !== undefined && name === wanted)
      return { line: key.line, value: hasValue ? after : undefined };
    if (hasValue) index += 1;
  }
  return undefined;
}

/** `rules[2].counts.flaky`, counted from 0 as in JSON. */
function fieldOf(path: PolicyProblem["path"]): string {
  return path
    .map((key, index) =>
      typeof key === "number" ? `[${key}]` : `${index === 0 ? "" : "."}${key}`,
    )
    .join("");
}
