import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { stepOf } from "../domain/step.ts";
import type { Landing } from "../domain/landing.ts";
import type { Ticket } from "../domain/ticket.ts";
import type { TicketDocument } from "../tickets/ticket-document.ts";
import { ticketDocument } from "../tickets/ticket-document.ts";
import type {
  ReportInput,
  ReportPages,
  TicketSources,
} from "./report-input.ts";
import { packageFolder } from "../domain/published-name.ts";
import { Site } from "./site.ts";
import { writeReport } from "./write-report.ts";

const rightToLeft = "\u202e";
const escape = "\u001b";
const longWord = "w".repeat(10_000);

/** Text as an attacker might write it, to be more than text, with the field that it is in. */
const hostile = (place: string) =>
  `${place} <script>alert("${place}")</script> '"><img src=x onerror=alert(1)> &lt;b&gt; ${escape}]0;owned\u0007${escape}[2J\u009b2J\u0085 ${rightToLeft}cod.exe ${longWord}`;
const escaped = (place: string) =>
  `${place} &lt;script&gt;alert(&quot;${place}&quot;)`;

/** Names of packages and files are checked at admission, except for their length. */
const source = `<svg onload=alert(1)>${rightToLeft}`;
const at = "2026-01-01T00:00:00.000Z";

let folder: string;
let pages: Map<string, string>;
const sources: TicketSources = {
  pathOf: ({ container }) => container,
  documentOf: ticketDocument,
  explanationOf: () => ({
    because: [hostile("because")],
    next: { action: hostile("next"), at },
    commands: [{ command: hostile("command"), effect: hostile("effect") }],
  }),
  testedBefore: () => new Map(),
  aptSourcesOf: () =>
    Promise.resolve([{ of: hostile("repository"), text: hostile("stanza") }]),
};

beforeAll(async () => {
  // A folder named by the variable is kept for inspection.
  folder =
    process.env["UBUNTU_CI_TEST_REPORT"] ??
    mkdtempSync(join(tmpdir(), "report-"));
  mkdirSync(folder, { recursive: true });
  const log = join(folder, "hostile.log");
  writeFileSync(
    log,
    `${"line\n".repeat(2000)}${escape}[31mred${escape}[0m \0\u0007 </pre><script>alert("log")</script> ${rightToLeft}gol\n${"x".repeat(3000)}\nerror: the end`,
  );
  const { ended, open } = input(log);
  await made(input(log), pagesOf([...ended, ...open]));
  pages = new Map(
    readdirSync(join(folder, "site"), { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".html"))
      .map((path) => [path, readFileSync(join(folder, "site", path), "utf8")]),
  );
});

afterAll(() => {
  if (process.env["UBUNTU_CI_TEST_REPORT"] === undefined)
    rmSync(folder, { recursive: true, force: true });
});

const landing: Landing = {
  revision: 1,
  series: hostile("series"),
  ticket: 1,
  sources: [{ source, version: "1" }],
  owner: hostile("owner"),
  landed_at: at,
  qa: "bad",
  qa_until: at,
  rollback_of: null,
  rolls_back: [],
  undone_by: null,
  note: hostile("note"),
};

async function made(
  data: ReportInput,
  given: ReportPages,
  all = true,
): Promise<Site> {
  const site = new Site(join(folder, "site"), all);
  await writeReport(site, data, given, sources);
  await site.finish(() => Promise.resolve("signed"));
  return site;
}

function input(
  log: string,
): ReportInput & { readonly ended: readonly Ticket[] } {
  // In this test, a file's container is the path of the log that stands in for the file.
  const artifact = (
    name: string,
    type: "LOGS" | "IMAGE",
    container: string,
  ) => ({
    container,
    name,
    type,
    size: 1,
    sha256: "0".repeat(64),
    subticket: null,
    expired_at: null,
  });
  const common = {
    priority: 0,
    created_at: at,
    updated_at: at,
    series: "bookworm",
    ppa: null,
    queue_position: null,
    archive_revision: null,
    undone_by: null,
    eta: null,
    add: [],
    remove: [],
    base_image: null,
    retry_at: null,
    cancelled: null,
    overrides: [],
    resume_step: null,
  };
  const failed = {
    ...common,
    id: 1,
    title: hostile("title"),
    description: hostile("description"),
    owner: hostile("owner"),
    bug: `javascript:alert("bug")`,
    step: stepOf(999),
    status: "failed",
    failure: {
      step: stepOf(400),
      kind: "package",
      reason: hostile("reason"),
      artifact: "hostile.log",
    },
    progress: null,
    waiting_for: null,
    subtickets: [
      {
        id: 1,
        source,
        version: "1:1.0~<b>",
        step: stepOf(999),
        status: "failed",
        binaries: [hostile("binary")],
      },
    ],
    runs: [
      {
        step: stepOf(400),
        attempt: 1,
        outcome: "failed",
        started_at: at,
        finished_at: "2026-01-01T00:01:59.700Z",
        reason: hostile("run"),
        evidence: null,
        stages: {},
      },
    ],
    artifacts: [
      artifact("hostile.log", "LOGS", log),
      artifact(`a&b "c" <d>.log`, "LOGS", log),
      artifact("evil.html", "LOGS", log),
      artifact("image.tar.zst", "IMAGE", log),
      { ...artifact(hostile("expired"), "LOGS", log), expired_at: at },
    ],
    tests: [
      {
        package: hostile("package"),
        name: hostile("test"),
        result: "fail",
        seconds: 1.2,
        detail: hostile("detail"),
        verdict: null,
      },
    ],
  };
  const waiting = {
    ...common,
    id: 2,
    title: rightToLeft.repeat(3) + "title",
    description: "",
    owner: "dev@example.com",
    bug: `https://bugs.example.org/?"onmouseover="alert(1)`,
    step: stepOf(100),
    status: "waiting",
    failure: null,
    progress: null,
    waiting_for: hostile("waiting"),
    expected: {
      start: { earliest: at, latest: at },
      end: {
        earliest: "2026-01-01T00:10:00.000Z",
        latest: "2026-01-01T00:20:00.000Z",
      },
      landings: 5,
      unknown: null,
    },
    subtickets: [],
    runs: [],
    artifacts: [],
    tests: [],
  };
  return {
    title: hostile("site"),
    url: null,
    origin: "1",
    as_of: at,
    generated_at: at,
    open: [waiting] as unknown as Ticket[],
    ended: [failed] as unknown as Ticket[],
    ended_ranges: [{ from: 1, to: 500, ended: 2 }],
    packages: [{ source, version: "1:1.0~<b>", status: "failed", tickets: 1 }],
    revisions: [
      {
        revision: 1,
        created_at: at,
        ticket: null,
        reverts_to: null,
        changes: [
          { source, from: "<i>", to: "<b>", series: hostile("series") },
        ],
      },
    ],
    ppas: [{ name: hostile("ppa"), state: "free", ticket: null, since: at }],
    locks: [
      {
        name: hostile("lock"),
        pid: 1,
        host: hostile("host"),
        since: at,
        dead: false,
        command: hostile("command"),
      },
    ],
    needs: [
      {
        kind: "package",
        what: hostile("what"),
        page: "tickets/1",
        since: at,
        owner: hostile("owner"),
        reasons: [hostile("reason")],
        commands: [{ command: hostile("command"), effect: hostile("effect") }],
      },
    ],
    more_needs: 3,
    series: [
      {
        series: hostile("series"),
        deployable_revision: null,
        deployed_revision: null,
        newest: landing,
        blocker: landing,
        because: [hostile("because")],
        commands: [],
      },
    ],
    failed: [
      {
        ticket: 1,
        title: hostile("title"),
        owner: hostile("owner"),
        series: hostile("series"),
        kind: "package",
        step: "Package Building",
        reason: hostile("reason"),
        at,
      },
    ],
    doubtful: [{ landing, since: at }],
    hot_spots: [{ day: "2026-01-03", expected: 9, usual: 2 }],
    counts: { failed: 1, waiting: 1 },
    landings: [{ series: hostile("series"), landings: [landing] }],
    maintenance: { since: at, by: hostile("by"), reason: hostile("why") },
    held_back: [{ name: hostile("held"), first: at, last: at, times: 2 }],
    warnings: [hostile("warning")],
    signatures_optional: true,
  };
}

const pagesOf = (tickets: readonly Ticket[]): ReportPages => ({
  tickets,
  ranges: [
    {
      from: 1,
      to: 500,
      ended: 2,
      tickets: tickets.filter(({ step }) => step.code >= 999),
    },
  ],
  lists: [{ kind: "status", name: "failed", total: 200, tickets }],
  packages: [
    {
      source,
      history: [
        {
          version: "1:1.0~<b>",
          ticket: 1,
          title: hostile("title"),
          series: hostile("series"),
          status: "failed",
          updated_at: at,
          archive_revision: 1,
          undone_by: null,
        },
      ],
      tested: [
        {
          ticket: 1,
          version: "1:1.0~<b>",
          tests: [
            {
              package: source,
              name: hostile("test"),
              result: "fail",
              seconds: 1,
              detail: hostile("detail"),
              verdict: null,
            },
          ],
        },
      ],
      deployed: new Map([[hostile("series"), 1]]),
      events: [],
    },
  ],
  feeds: [],
});

const page = (path: string) => pages.get(path) ?? "";

/** Who has a page: of the failed and the open ticket. */
const owners = [hostile("owner"), "dev@example.com"];

describe("a report of hostile texts", () => {
  test("has the pages it should have, and writes nowhere else", () => {
    expect([...pages.keys()].sort()).toEqual(
      [
        "index.html",
        "failures/index.html",
        "health/index.html",
        "landings/index.html",
        "owners/index.html",
        ...owners.map((owner) => `owners/${packageFolder(owner)}/index.html`),
        "packages/index.html",
        `packages/${packageFolder(source)}/index.html`,
        "status/failed/index.html",
        "tickets/1/index.html",
        "tickets/1/logs/hostile.log/index.html",
        "tickets/1/logs/a_b__c___d_.log/index.html",
        "tickets/2/index.html",
        "ended/1-500/index.html",
      ].sort(),
    );
    expect(readdirSync(folder).sort()).toEqual(["hostile.log", "site"]);
    expect(readdirSync(join(folder, "site/tickets/1/files")).sort()).toEqual(
      ["hostile.log.txt", "a_b__c___d_.log.txt", "evil_html.bin"].sort(),
    );
  });

  test("has no element and no attribute but those of the templates", () => {
    const elements = new Set(
      "html head meta title link body header nav main footer section a abbr bdi br code dd details div dl dt h1 h2 h3 li ol p pre span strong summary table tbody td th thead time tr ul".split(
        " ",
      ),
    );
    const attributes = new Set(
      "aria-hidden aria-label aria-labelledby charset class content data-n datetime download href http-equiv id lang name open rel scope tabindex title type".split(
        " ",
      ),
    );
    for (const [path, html] of pages) {
      const text = html.replace("<!doctype html>", "");
      for (const [, name = "", rest = ""] of text.matchAll(
        /<\/?([^\s>]*)((?:\s+[^\s=>]+="[^"]*")*)/g,
      )) {
        expect([path, elements.has(name) ? "" : name]).toEqual([path, ""]);
        for (const [, attribute = "", value = ""] of rest.matchAll(
          /\s+([^\s=]+)="([^"]*)"/g,
        )) {
          expect([path, attributes.has(attribute) ? "" : attribute]).toEqual([
            path,
            "",
          ]);
          if (attribute === "href")
            expect(value).not.toMatch(/^(?!https?:)\w+:/);
        }
      }
      // Outside of tags there must be no angle brackets.
      expect(
        text.replaceAll(/<\/?[a-z][a-z0-9]*(?:\s+[^\s=>]+="[^"]*")*\s*>/g, ""),
      ).not.toMatch(/[<>]/);
    }
  });

  test.each([
    [
      "index.html",
      ["title", "owner", "reason", "waiting", "site", "by", "why", "warning"],
    ],
    [
      "tickets/1/index.html",
      [
        "title",
        "description",
        "owner",
        "reason",
        "run",
        "binary",
        "package",
        "test",
        "detail",
        "expired",
      ],
    ],
    ["landings/index.html", ["series"]],
    ["ended/1-500/index.html", ["title", "owner", "reason"]],
    [`packages/${packageFolder(source)}/index.html`, ["title", "series"]],
    ["health/index.html", ["ppa", "lock", "host"]],
  ])("%s shows them as the texts they are", (path, places) => {
    for (const place of places)
      expect([place, page(path).includes(escaped(place))]).toEqual([
        place,
        true,
      ]);
  });

  test("says when an open ticket can expect to be complete, in the list and in the JSON too", () => {
    const said =
      'starts any moment, complete between <time datetime="2026-01-01T00:10:00.000Z">2026-01-01 00:10 UTC</time> and <time datetime="2026-01-01T00:20:00.000Z">00:20 UTC</time>';
    expect(page("index.html")).toContain(`<div class="where">${said}</div>`);
    expect(page("tickets/2/index.html")).toContain(
      `Expected: ${said} (by the 5 tickets that landed before)`,
    );
    expect(page("tickets/1/index.html")).not.toContain("Expected");
    const json = (path: string) =>
      JSON.parse(
        readFileSync(join(folder, "site", path, "index.json"), "utf8"),
      ) as { ticket: object };
    expect(json("tickets/2").ticket).toHaveProperty(
      "expected.end.latest",
      "2026-01-01T00:20:00.000Z",
    );
    expect(json("tickets/1").ticket).not.toHaveProperty("expected");
  });

  test.each([["tickets/1", ""]])(
    "the JSON at %j has the addresses of files from there",
    (path, to) => {
      const { ticket, tickets = [] } = JSON.parse(
        readFileSync(join(folder, "site", path, "index.json"), "utf8"),
      ) as { ticket?: TicketDocument; tickets?: TicketDocument[] };
      const one = ticket ?? tickets.find(({ id }) => id === 1);
      const urls = one?.artifacts.map(({ url }) => url) ?? [];
      expect(urls[0]).toBe(`${to}files/hostile.log.txt`);
      for (const url of urls.slice(0, 3))
        expect(
          existsSync(join(folder, "site", path, decodeURIComponent(url ?? ""))),
        ).toBe(true);
      // One artifact is an image and one has expired; neither is in the report.
      expect(urls.slice(3)).toEqual([null, null]);
    },
  );

  test("links a bug only where it is an address, and packages by an escaped name", () => {
    expect(page("tickets/1/index.html")).not.toContain('href="javascript:');
    expect(page("tickets/2/index.html")).toContain(
      'href="https://bugs.example.org/?%22onmouseover=%22alert(1)" rel="noopener noreferrer nofollow"',
    );
    expect(page("packages/index.html")).toContain(
      `href="${packageFolder(source)}/index.html"`,
    );
  });

  test("hides nothing: what a terminal obeys or turns a text around is shown, in pages and in their data", () => {
    const never =
      // eslint-disable-next-line no-control-regex -- that is what must not be there
      /[\0-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/;
    for (const [path, html] of pages) {
      expect([path, never.exec(html)]).toEqual([path, null]);
      const json = readFileSync(
        join(folder, "site", path.replace(/html$/, "json")),
        "utf8",
      );
      expect([path, never.exec(json)]).toEqual([path, null]);
    }
    expect(page("tickets/1/index.html")).toContain(
      String.raw`\x1b]0;owned\x07\x1b[2J\x9b2J\x85 \u202ecod.exe`,
    );
    const json = readFileSync(
      join(folder, "site/tickets/1/index.json"),
      "utf8",
    );
    expect(JSON.parse(json)).toHaveProperty("ticket.title", hostile("title"));
  });

  test("lets a page load nothing but its style, and tells no other site where a reader came from", () => {
    for (const [path, html] of pages) {
      expect([path, html]).toEqual([
        path,
        expect.stringContaining(
          `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'">`,
        ) as string,
      ]);
      expect(html).toContain('<meta name="referrer" content="no-referrer">');
    }
  });

  test("links and the data's URLs name the files as they are published; what has another end than a text's is saved", () => {
    const html = page("tickets/1/index.html");
    const { ticket } = JSON.parse(
      readFileSync(join(folder, "site/tickets/1/index.json"), "utf8"),
    ) as { ticket: { artifacts: { name: string; url: string | null }[] } };
    const urls = ticket.artifacts.flatMap(({ url }) => url ?? []);
    expect(urls).toEqual([
      "files/hostile.log.txt",
      "files/a_b__c___d_.log.txt",
      "files/evil_html.bin",
    ]);
    for (const url of urls) {
      expect(html).toContain(`href="${url}"`);
      expect(existsSync(join(folder, "site/tickets/1", url))).toBe(true);
    }
    expect(html).toContain('href="files/evil_html.bin" download=""');
    expect(html).toContain(
      '<a href="logs/hostile.log/index.html">where the log says it</a> · <a href="files/hostile.log.txt">the raw log</a>',
    );
  });

  test("shows the end of a log with what only a terminal understands made visible", () => {
    const pre = /<pre[^>]*>(.*?)<\/pre>/s.exec(
      page("tickets/1/index.html"),
    )?.[1];
    expect(pre).toMatch(/error: the end\s*$/);
    expect(pre).toContain(
      String.raw`\x1b[31mred\x1b[0m \x00\x07 &lt;/pre&gt;&lt;script&gt;`,
    );
    // eslint-disable-next-line no-control-regex -- that is what must not be there
    expect(pre).not.toMatch(/[\0-\u0008\u000b-\u001f]/);
    expect(pre?.length).toBeLessThan(8000);
  });

  test("says a duration of nearly two minutes as two minutes", () => {
    expect(page("tickets/1/index.html")).toContain("2 min 0 s");
  });
});

test("what is so for a while only is told on the pages that every report writes", () => {
  const telling = [...pages]
    .filter(([, html]) => html.includes("<strong>Maintenance</strong>"))
    .map(([path]) => path);
  expect(telling.sort()).toEqual([
    "failures/index.html",
    "health/index.html",
    "index.html",
    "landings/index.html",
    ...owners
      .map((owner) => `owners/${packageFolder(owner)}/index.html`)
      .sort(),
    "owners/index.html",
    "packages/index.html",
    "status/failed/index.html",
    "tickets/2/index.html",
  ]);
  for (const [path, html] of pages)
    expect([path, html.includes("<strong>Warning</strong>")]).toEqual([
      path,
      telling.includes(path),
    ]);
});

describe("the report of another day", () => {
  test("removes what an earlier program published under another name", async () => {
    const site = join(folder, "site");
    const files = join(site, "tickets/1/files");
    const ours = readdirSync(files);
    for (const name of ["evil.html", "hostile.log"])
      writeFileSync(join(files, name), "<script>alert(1)</script>");
    const { ended } = input(join(folder, "hostile.log"));
    await made(
      input(join(folder, "hostile.log")),
      { ...pagesOf(ended), ranges: [], packages: [] },
      false,
    );
    expect(readdirSync(files)).toEqual(ours);
  });

  test("writes the pages that it is given, and leaves the others alone", async () => {
    const site = join(folder, "site");
    const { open } = input(join(folder, "hostile.log"));
    const renamed = open.map((ticket) => ({ ...ticket, title: "renamed" }));
    rmSync(join(site, "tickets/1/index.json"));
    const { written } = await made(
      { ...input(""), open: renamed },
      { ...pagesOf(renamed), ranges: [], packages: [] },
      false,
    );
    const changed = [
      "index",
      "status/failed/index",
      "tickets/2/index",
      `owners/${packageFolder("dev@example.com")}/index`,
    ].flatMap((file) => [`${file}.html`, `${file}.json`]);
    expect(written).toBe(changed.length);
    for (const file of changed)
      expect(readFileSync(join(site, file), "utf8")).toContain("renamed");
    expect(existsSync(join(site, "tickets/1/index.json"))).toBe(false);
    expect(existsSync(join(site, "tickets/1/index.html"))).toBe(true);
  });

  test("removes what is gone when it is given all there is", async () => {
    const site = join(folder, "site");
    const { ended } = input(join(folder, "hostile.log"));
    await made({ ...input(""), open: [] }, { ...pagesOf(ended), packages: [] });
    expect(readdirSync(join(site, "tickets"))).toEqual(["1", "SHA256SUMS"]);
    expect(existsSync(join(site, "packages", packageFolder(source)))).toBe(
      false,
    );
    expect(existsSync(join(site, "packages/index.html"))).toBe(true);
  });
});
