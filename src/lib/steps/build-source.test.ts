import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { sampleTicket } from "../../../test/support/ticket.ts";
import type { AptRepository } from "../backends/apt-repository.ts";
import type { Archive } from "../backends/archive/archive.ts";
import type { Builder, BuildResult } from "../backends/builder/builder.ts";
import type { Pool } from "../backends/pool/pool.ts";
import { defaultPolicy } from "../domain/policy.ts";
import { noConfig } from "../config/config.ts";
import type { Override } from "../domain/ticket.ts";
import { buildSource } from "./build-source.ts";
import type {
  StepBackends,
  StepContext,
  StepInput,
  TicketSource,
} from "./step-definition.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "uci-build-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Source packages: what they build-depend on, and what apt needs besides, which no .dsc tells. */
type Sources = Readonly<
  Record<string, { readonly wants?: string; readonly apt?: string }>
>;

/** Carries the step out with a builder that has what was published before; returns also what it tried. */
async function build(
  sources: Sources,
  {
    architecture = "amd64",
    there = [] as readonly string[],
    overrides = [] as readonly Override[],
  } = {},
) {
  const names = Object.keys(sources);
  const written = names.map((source, index): TicketSource => {
    const dsc = join(folder, `${source}_1.0.dsc`);
    const file = `${source}_1.0.tar.xz`;
    const wants = sources[source]?.wants ?? "";
    writeFileSync(
      dsc,
      `Format: 3.0 (native)\nSource: ${source}\nBinary: ${source}\nArchitecture: any\nVersion: 1.0\nMaintainer: Dev <dev@example.com>\n${wants === "" ? "" : `Build-Depends: ${wants}\n`}Checksums-Sha256:\n ${"0".repeat(64)} 1 ${file}\nFiles:\n ${"0".repeat(32)} 1 ${file}\n`,
    );
    return { subticket: index + 1, source, version: "1.0", dsc, binaries: [] };
  });
  const published = new Set(there);
  const tried: string[] = [];
  const builder: Builder = {
    build({ source }) {
      tried.push(source);
      const missing = sources[source]?.apt;
      const unmet = missing !== undefined && !published.has(missing);
      const result: BuildResult = {
        outcome: unmet ? "failed" : "passed",
        reason: unmet ? `Depends: ${missing} but it is not installable` : null,
        log: { name: `${source}.log`, path: join(folder, `${source}.log`) },
        stages: {},
        base: null,
        files: [],
        ...(unmet && { unmet }),
      };
      return Promise.resolve(result);
    },
  };
  const repository = {} as AptRepository;
  const pool: Partial<Pool> = {
    reset: () => Promise.resolve(repository),
    add: (_ppa, _series, files) => {
      for (const name of names)
        if (files.some((file) => file.endsWith(`/${name}_1.0.dsc`)))
          published.add(name);
      tried.push("|");
      return Promise.resolve();
    },
  };
  const archive: Partial<Archive> = {
    repository: () => Promise.resolve(repository),
    current: () =>
      Promise.resolve({ publications: {} } as Awaited<
        ReturnType<Archive["current"]>
      >),
  };
  const refuse = () => Promise.reject(new Error("not needed"));
  const backends: StepBackends = {
    ...{ imager: refuse, tester: refuse },
    builder: () => Promise.resolve(builder),
    pool: () => Promise.resolve(pool as Pool),
    archive: () => Promise.resolve(archive as Archive),
    distribution: () => Promise.resolve({ find: () => Promise.resolve([]) }),
  };
  const input: StepInput = {
    ticket: sampleTicket({ ppa: "ci_pool-001", overrides }),
    sources: written,
    ...{ image: null, job: null, config: noConfig(), architecture },
    policy: defaultPolicy,
    lookUp: () =>
      Promise.resolve((alternatives) =>
        alternatives.some(({ name }) => there.includes(name)),
      ),
  };
  const work: StepContext = {
    scratch: folder,
    signal: new AbortController().signal,
    progress: () => undefined,
    note: () => undefined,
    workingOn: () => undefined,
    submit: refuse,
  };
  const plan = await buildSource.plan(input);
  const done = await buildSource.execute(plan, input, backends, work);
  return { done, plan: plan.actions, order: inWaves(tried) };
}

/** What was tried, wave by wave; what is built side by side comes by name. */
function inWaves(tried: readonly string[]): string {
  return tried
    .join(" ")
    .split("|")
    .map((wave) => wave.trim().split(" ").sort().join(" "))
    .join(" | ")
    .trim();
}

describe("what apt finds unmet", () => {
  test("waits for what is still to be built, by a name that no .dsc tells", async () => {
    const { done, order } = await build({
      prova: { wants: "prov-virtual", apt: "provb" },
      provb: {},
    });
    expect(done).toMatchObject({ outcome: "passed", reason: null });
    expect(order).toBe("prova provb | prova |");
  });

  test("waits from wave to wave, and what needs it is not built before", async () => {
    const { done, order } = await build({
      depra: { wants: "deprb", apt: "deprc" },
      deprb: {},
      deprc: { wants: "deprd" },
      deprd: {},
      last: { wants: "depra" },
    });
    expect(done.outcome).toBe("passed");
    expect(order).toBe("deprb deprd | depra deprc | depra | last |");
  });

  test("is the package's failure as soon as nothing else is built, with who waits for what", async () => {
    const { done, order } = await build({
      liba: { apt: "libb" },
      libb: { apt: "nothing" },
      libc: { wants: "liba" },
      libd: {},
    });
    expect(order).toBe("liba libb libd | liba libb");
    expect(done).toMatchObject({
      outcome: "failed",
      reason:
        "liba 1.0: waits for libb: Depends: libb but it is not installable; libb: Depends: nothing but it is not installable; libc waits for liba",
      files: [{ name: "libd.log" }, { name: "liba.log" }, { name: "libb.log" }],
    });
  });

  test("fails a single source at once, in apt's own words", async () => {
    const { done, order } = await build({ liba: { apt: "libb" } });
    expect(order).toBe("liba");
    expect(done).toMatchObject({
      outcome: "failed",
      reason: "liba 1.0: Depends: libb but it is not installable",
    });
  });

  test("is passed over where the architecture is ignored", async () => {
    const override: Override = {
      ...{ id: 1, kind: "arch", target: "amd64", reason: "later", by: "me" },
      ...{ at: "", until: null, ended: false, undone: null },
    };
    const sources = { liba: { apt: "x" }, libb: { wants: "liba" } };
    const { done, order } = await build(sources, { overrides: [override] });
    expect(order).toBe("liba | libb |");
    expect(done).toMatchObject({
      outcome: "passed",
      reason: expect.stringContaining("ignored: later (by me)") as string,
    });
  });
});

test("the order is that of the machine's architecture", async () => {
  const sources = { liba: { wants: "libb [arm64]" }, libb: {} };
  expect((await build(sources)).order).toBe("liba libb |");
  const arm = await build(sources, { architecture: "arm64" });
  expect(arm.order).toBe("libb | liba |");
});

test("a circle is opened where the archive or the distribution has a package already", async () => {
  const sources = { liba: { wants: "libb" }, libb: { wants: "liba" } };
  const { done, order } = await build(sources, { there: ["liba"] });
  expect(done.outcome).toBe("passed");
  expect(order).toBe("libb | liba |");
});

test("any other circle fails the ticket instead of holding up the queue", async () => {
  const { done, plan, order } = await build({
    liba: { wants: "libb" },
    libb: { wants: "liba" },
  });
  expect(order).toBe("");
  expect(plan).toEqual(["fail: liba build-depends on libb, that on liba"]);
  expect(done).toMatchObject({
    outcome: "failed",
    reason:
      "build dependencies go in a circle: liba build-depends on libb, that on liba",
  });
});
