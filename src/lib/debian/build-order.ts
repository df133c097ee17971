import type { Relation } from "./relation.ts";
import {
  consideredOf,
  mayBeWithin,
  relationGroups,
  relationsOf,
} from "./relation.ts";

/** A source package, with what determines its place in the order. */
export interface Buildable {
  readonly source: string;
  readonly version?: string;
  /** The binary packages that are built of it on this architecture. */
  readonly binaries: readonly string[];
  readonly buildDepends: string;
}

/** A source package that build-depends on a binary package of another one. */
export interface Need {
  readonly source: string;
  readonly binary: string;
  readonly of: string;
}

/** In which order source packages are built. */
export interface BuildOrder {
  /** Names of sources. Those of a wave can be built side by side once the waves before are published. */
  readonly waves: readonly (readonly string[])[];
  /** By its name, what each source waits for. Nothing for what is in a circle. */
  readonly needs: ReadonlyMap<string, readonly string[]>;
  /** Sources that need each other, each the next and the last the first; they are in no wave. */
  readonly circles: readonly (readonly Need[])[];
}

/**
 * Whether one of these alternatives can be had from elsewhere than these packages, from the archive or
 * the distribution.
 */
export type IsThere = (alternatives: readonly Relation[]) => boolean;

/** Looks up names of binary packages elsewhere. */
export type LookUp = (names: ReadonlySet<string>) => Promise<IsThere>;

/** A need, and whether it can be met without building what it is of. */
interface Edge extends Need {
  readonly canDoWithout: boolean;
}

/**
 * Puts source packages in build order: one comes after another when it build-depends on a binary package
 * of it, by the alternatives that a build daemon considers. A circle is broken where a dependency is
 * there already, so that its source is built against that.
 */
export function buildOrder(
  packages: readonly Buildable[],
  architecture: string,
  isThere: IsThere = () => false,
): BuildOrder {
  const edges = edgesOf(packages, architecture, isThere);
  const dependents = new Map<string, string[]>();
  for (const [name, needed] of edges)
    for (const other of needed.keys()) {
      const known = dependents.get(other) ?? [];
      dependents.set(other, known);
      known.push(name);
    }
  const waves: string[][] = [];
  const needs = new Map<string, readonly string[]>();
  const circles: (readonly Need[])[] = [];
  const waiting = new Map([...edges].map(([name, { size }]) => [name, size]));
  let wave = [...edges.keys()].filter((name) => waiting.get(name) === 0);
  for (;;) {
    if (wave.length > 0) waves.push(wave.sort());
    const next: string[] = [];
    for (const name of wave) {
      // One that opens a circle does not wait for what it can do without.
      const needed = [...(edges.get(name)?.keys() ?? [])];
      const before = needed.filter((other) => needs.has(other));
      needs.set(name, before);
      waiting.delete(name);
      for (const dependent of dependents.get(name) ?? []) {
        if (!waiting.has(dependent)) continue;
        const left = (waiting.get(dependent) ?? 0) - 1;
        waiting.set(dependent, left);
        if (left === 0) next.push(dependent);
      }
    }
    wave = next;
    if (wave.length > 0) continue;
    if (waiting.size === 0) return { waves, needs, circles };
    const left = leftOf(edges, waiting);
    const ring = innermost(left);
    const first = firstInRing(left, ring);
    if (first !== undefined) wave = [first];
    else {
      circles.push(circleIn(left, ring));
      for (const name of behind(ring, dependents)) waiting.delete(name);
    }
  }
}

/** The same, where what is there is looked up for circles alone. */
export async function buildOrderAmong(
  packages: readonly Buildable[],
  architecture: string,
  look: LookUp,
): Promise<BuildOrder> {
  const order = buildOrder(packages, architecture);
  if (order.circles.length === 0) return order;
  const ours = new Set(packages.flatMap(({ binaries }) => binaries));
  const names = packages
    .filter(({ source }) => !order.needs.has(source))
    .flatMap(({ buildDepends }) => relationsOf(buildDepends, architecture))
    .map(({ name }) => name)
    .filter((name) => ours.has(name));
  return buildOrder(packages, architecture, await look(new Set(names)));
}

/** What each source needs of the others, by their names. */
function edgesOf(
  packages: readonly Buildable[],
  architecture: string,
  isThere: IsThere,
): ReadonlyMap<string, ReadonlyMap<string, Edge>> {
  const builtBy = new Map(
    packages.flatMap(({ source, version, binaries }) =>
      binaries.map((binary) => [binary, { source, version }] as const),
    ),
  );
  return new Map(
    packages.map(({ source, buildDepends }) => {
      const mine = new Map<string, Edge>();
      for (const group of relationGroups(buildDepends, architecture)) {
        const considered = consideredOf(group);
        const [first] = considered;
        const other = builtBy.get(first?.name ?? "");
        if (first === undefined || other === undefined) continue;
        const { source: of, version } = other;
        const fits = considered.some(
          ({ bound }) => version === undefined || mayBeWithin(version, bound),
        );
        if (of === source || !fits) continue;
        const before = mine.get(of);
        if (before?.canDoWithout === false) continue;
        const canDoWithout = isThere(considered);
        mine.set(of, { source, binary: first.name, of, canDoWithout });
      }
      return [source, mine] as const;
    }),
  );
}

type Edges = ReadonlyMap<string, readonly Edge[]>;

/** What those that are left still need of each other. */
function leftOf(
  edges: ReadonlyMap<string, ReadonlyMap<string, Edge>>,
  waiting: ReadonlyMap<string, number>,
): Edges {
  return new Map(
    [...waiting.keys()]
      .sort()
      .map((name) => [
        name,
        [...(edges.get(name)?.values() ?? [])].filter(({ of }) =>
          waiting.has(of),
        ),
      ]),
  );
}

/**
 * Sources that all need each other, directly or not, and none besides: the first strongly connected
 * component that Tarjan's algorithm completes.
 */
function innermost(edges: Edges): ReadonlySet<string> {
  const found = new Map<string, { readonly index: number; low: number }>();
  const path: { readonly name: string; at: number }[] = [];
  const open: string[] = [];
  const enter = (name: string) => {
    found.set(name, { index: found.size, low: found.size });
    open.push(name);
    path.push({ name, at: 0 });
  };
  const [start = ""] = edges.keys();
  enter(start);
  for (;;) {
    const top = path.at(-1);
    const here = found.get(top?.name ?? "");
    if (top === undefined || here === undefined) return new Set(open);
    const next = edges.get(top.name)?.[top.at];
    top.at += 1;
    if (next !== undefined) {
      const known = found.get(next.of);
      if (known === undefined) enter(next.of);
      else here.low = Math.min(here.low, known.low);
    } else if (here.low === here.index)
      return new Set(open.slice(open.indexOf(top.name)));
    else {
      path.pop();
      const above = found.get(path.at(-1)?.name ?? "");
      if (above !== undefined) above.low = Math.min(above.low, here.low);
    }
  }
}

/** The one of a ring that can be built first, since it can do without the others: the one that needs fewest. */
function firstInRing(
  edges: Edges,
  ring: ReadonlySet<string>,
): string | undefined {
  const candidates = [...ring]
    .sort()
    .filter((name) =>
      edges.get(name)?.every(({ canDoWithout }) => canDoWithout),
    );
  const needed = (name: string) => edges.get(name)?.length ?? 0;
  return candidates.sort((a, b) => needed(a) - needed(b))[0];
}

/** A circle of needs that cannot be done without, in a ring where each source has one. */
function circleIn(edges: Edges, ring: ReadonlySet<string>): readonly Need[] {
  const path: Need[] = [];
  const at = new Map<string, number>();
  for (let name = [...ring].sort()[0]; name !== undefined;) {
    const begun = at.get(name);
    if (begun !== undefined) return path.slice(begun);
    at.set(name, path.length);
    const need = edges.get(name)?.find(({ canDoWithout }) => !canDoWithout);
    if (need === undefined) break;
    const { source, binary, of } = need;
    path.push({ source, binary, of });
    name = of;
  }
  return path;
}

/** These sources, and all that need them. */
function behind(
  names: ReadonlySet<string>,
  dependents: ReadonlyMap<string, readonly string[]>,
): ReadonlySet<string> {
  const found = new Set(names);
  for (const name of found)
    for (const other of dependents.get(name) ?? []) found.add(other);
  return found;
}

/** A circle in words: `a build-depends on b-dev of b, and that on a`. */
export function circleInWords(circle: readonly Need[]): string {
  return circle
    .map(({ source, binary, of }, index) => {
      const what = binary === of ? binary : `${binary} of ${of}`;
      return index === 0
        ? `${source} build-depends on ${what}`
        : `that on ${what}`;
    })
    .join(", ");
}
