import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { besidePath } from "../files/atomic-file.ts";
import { indexLog } from "./log-index.ts";
import { lineText } from "./log-line.ts";
import { drawLog } from "./log-page.ts";
import type { LogToShow } from "./log-pages.ts";
import {
  readPages,
  urlOfFound,
  urlOfLine,
  writeLogPages,
} from "./log-pages.ts";
import { readLog } from "./log-reader.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "log-pages-"));
});
afterEach(() => rmSync(root, { recursive: true }));

const nothingWanted = { reasons: [], tests: [] };

function show(
  contents: string | Uint8Array,
  more: Partial<LogToShow> = {},
): LogToShow {
  const log = join(root, more.name ?? "a.log");
  writeFileSync(log, contents);
  return {
    log,
    identity: createHash("sha256").update(contents).digest("hex"),
    name: "a.log",
    folder: join(root, "logs/a"),
    rawUrl: "../../files/a.txt",
    of: { title: "Ticket 1", url: "../../index.html" },
    wanted: nothingWanted,
    frame: (title, body) => `<title>${title}</title>\n${body}`,
    ...more,
  };
}

const page = (name: string) => readFileSync(join(root, "logs/a", name), "utf8");
const names = () => readdirSync(join(root, "logs/a")).sort();

describe("the pages of a log", () => {
  test("have an anchor and a number for each line, and lead to the raw file", async () => {
    const pages = await writeLogPages(show("one\ntwo <b>\n"));
    expect(names()).toEqual(["index.html", "index.json"]);
    const html = page("index.html");
    expect(html).toContain(
      '<span id="L2"><a href="#L2" data-n="2" tabindex="-1" aria-hidden="true"></a>two &lt;b&gt;\n</span>',
    );
    expect(html).toContain('<a href="../../files/a.txt">the raw file</a>');
    expect(html).toContain('<a href="../../index.html"><bdi>Ticket 1</bdi>');
    expect(html).not.toContain("<nav");
    expect(urlOfLine(pages, 2)).toBe("index.html#L2");
    expect(urlOfLine(pages, 3)).toBe("index.html");
    expect(statSync(join(root, "logs/a/index.html")).mode & 0o777).toBe(0o644);
  });

  test("say in JSON what is where", async () => {
    const made = await writeLogPages(show("Build of x 1\n\n$ apt-get\n"));
    const json: unknown = JSON.parse(page("index.json"));
    expect(json).toEqual(made);
    const sha256 = createHash("sha256").update(page("index.html"));
    expect(json).toMatchObject({
      log: "a.log",
      lines: 3,
      bytes: 24,
      pages: [
        {
          number: 1,
          from: 1,
          to: 3,
          url: "index.html",
          sha256: sha256.digest("hex"),
          bytes: Buffer.byteLength(page("index.html")),
        },
      ],
      sections: [
        { title: "beginning", from: 1, to: 2, seconds: null },
        { title: "$ apt-get", from: 3, to: 3, seconds: null },
      ],
    });
  });

  test("are several for a long log, with links between them", async () => {
    const lines = Array.from({ length: 12_000 }, (_, at) => `line ${at + 1}`);
    const pages = await writeLogPages(show(`${lines.join("\n")}\n`));
    expect(pages.pages.map(({ from, to }) => [from, to])).toEqual([
      [1, 5000],
      [5001, 10_000],
      [10_001, 12_000],
    ]);
    expect(names()).toEqual([
      "index.html",
      "index.json",
      "page-2.html",
      "page-3.html",
    ]);
    const links = (name: string) =>
      [...page(name).matchAll(/<a href="([^"#]*)">(\w+)<\/a>/g)]
        .map(([, url, text]) => `${text ?? ""} ${url ?? ""}`)
        .filter((link) => / (?:index|page-\d)\.html$/.test(link));
    // Above and below the log.
    const twice = (...all: string[]) => [...all, ...all];
    expect(links("index.html")).toEqual(
      twice("Next page-2.html", "Last page-3.html"),
    );
    expect(links("page-2.html")).toEqual(
      twice(
        ...["First index.html", "Previous index.html"],
        ...["Next page-3.html", "Last page-3.html"],
      ),
    );
    expect(page("page-2.html")).toContain("line 5001\n");
    expect(page("page-2.html")).toContain("<title>a.log, lines 5001 to 10000");
    expect(urlOfLine(pages, 10_000)).toBe("page-2.html#L10000");
  });

  test("show a line that is longer than a page in pieces, and say so", async () => {
    const pages = await writeLogPages(show(`a\n${"x".repeat(2_500_000)}\nb`));
    expect(pages.lines).toBe(3);
    expect(pages.pages.map(({ from, to }) => [from, to])).toEqual([
      [1, 2],
      [2, 2],
      [2, 3],
    ]);
    expect(urlOfLine(pages, 2)).toBe("index.html#L2");
    expect(urlOfLine(pages, 3)).toBe("page-3.html#L3");
    expect(page("page-2.html")).not.toContain(' id="L');
    expect(page("page-2.html")).toContain("is cut into pieces");
  });

  test("of a log that is empty say so", async () => {
    await writeLogPages(show(""));
    expect(page("index.html")).toContain("The log is empty.");
  });

  test("of a compressed log are those of the log", async () => {
    await writeLogPages(
      show(gzipSync("Build of x 1\n$ a\n"), { name: "a.log.gz" }),
    );
    expect(page("index.html")).toContain("</a>$ a\n");
  });

  test("have the section of the verdict and the last one open, and lead to its line", async () => {
    const reason = "compile: a.c:1: error: <no>";
    const log = [
      ...["Build of x 1", "", "$ apt-get", "$ dpkg-buildpackage"],
      ...["a.c:1: error: <no>", "$ more", "failed: compile", "stages: x 1 s"],
    ];
    const pages = await writeLogPages(
      show(log.join("\n"), { wanted: { reasons: [reason], tests: [] } }),
    );
    expect(urlOfFound(pages, reason)).toBe("index.html#L5");
    expect(urlOfFound(pages, "other")).toBeUndefined();
    const html = page("index.html");
    const opened = [
      ...html.matchAll(/<details[^>]*?( open="")?><summary><bdi>([^<]*)/g),
    ].map(
      ([, open, title]) => `${title ?? ""}${open === undefined ? "" : " open"}`,
    );
    expect(opened).toEqual([
      "beginning",
      "$ apt-get",
      "$ dpkg-buildpackage open",
      "$ more",
      "result open",
    ]);
    expect(html).toContain(
      '<a href="index.html#L5">Line 5</a> says why: <bdi>compile: a.c:1: error: &lt;no&gt;</bdi>',
    );
  });
});

describe("hostile logs", () => {
  /** What may stand in the pages besides the text: no tag or attribute that is not of the template. */
  const tag =
    /<(?:h1|bdi|ol|li class="level[12]"|p(?: class="(?:lead|where|long|banner|empty)")?|a href="[a-z0-9./-]+(?:#L\d+)?"|nav class="log-pages" aria-label="[A-Za-z ,]+"|details class="(?:log-contents|log-section level[12])"(?: open="")?|summary|span(?: class="(?:count|place|where|id|chip [a-z]+|ansi-[a-z -]+)")?|pre class="log"|span id="L\d+"(?: class="last-state")?|span class="more"|a href="#L\d+" data-n="\d+" tabindex="-1" aria-hidden="true"|title)>|<\/(?:h1|bdi|ol|li|p|a|nav|details|summary|span|pre|title)>/g;

  test("add no tag and no attribute, and all of their text is there", async () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.string({ unit: "binary" }).map((text) => Buffer.from(text)),
      fc
        .constantFrom(
          ...[
            "\n",
            "\r",
            "\0",
            "\x1b[31m",
            "\x1b]8;;x:\x07",
            "\x1b[1A",
            "\u202e",
          ],
          ...["<script>", "</pre></details>", '" onload="', "&#60;", "<!--"],
          ...["Build of x 1\n", "\n$ <b>\n", "\n   dh_<i>\n", "stages: \n"],
          ...["\nautopkgtest [12:00:00]: test <a>: [----\n", "\n<a> FAIL\n"],
          `\n+${"-".repeat(30)}+\n| <u> |\n`,
        )
        .map((text) => Buffer.from(text)),
    );
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 40 }), async (pieces) => {
        run += 1;
        const folder = join(root, "logs", String(run));
        const shown = show(Buffer.concat(pieces), { folder });
        await writeLogPages(shown);
        const html = readFileSync(join(folder, "index.html"), "utf8");
        expect(html.replaceAll(tag, "")).not.toMatch(/[<>]/);
        const lines: string[] = [];
        await readLog(
          shown.log,
          (line) => lines.push(lineText(line)),
          () => Promise.resolve(),
        );
        const text = [...html.matchAll(/<pre class="log">([^]*?)<\/pre>/g)]
          .map(([, inner = ""]) => inner.replaceAll(/<[^>]*>/g, ""))
          .join("")
          .replaceAll("&lt;", "<")
          .replaceAll("&gt;", ">")
          .replaceAll("&quot;", '"')
          .replaceAll("&#x27;", "'")
          .replaceAll("&amp;", "&");
        expect(text).toBe(lines.map((line) => `${line}\n`).join(""));
      }),
      { numRuns: 100 },
    );
  });

  test("of millions of empty lines get a bounded number of pages", async () => {
    const log = join(root, "empty.log");
    writeFileSync(log, "\n".repeat(5_020_000));
    const { pages } = await indexLog(log, nothingWanted);
    expect(pages).toHaveLength(1000);
    expect([pages[499]?.to, pages[500]?.from, pages.at(-1)?.to]).toEqual([
      2_500_000, 2_520_001, 5_020_000,
    ]);
  });

  test("whose middle is left out are drawn without it", async () => {
    const log = join(root, "long.log");
    writeFileSync(log, "x\n".repeat(15_000));
    const index = await indexLog(log, nothingWanted);
    const pages = index.pages.filter((_, at) => at !== 1);
    const drawn: string[] = [];
    await drawLog(log, { ...index, pages }, [], ({ parts }, at) => {
      const [first = ""] = parts[0]?.blocks ?? [];
      drawn.push(`${at} ${/id="(L\d+)"/.exec(first)?.[1] ?? ""}`);
      return Promise.resolve();
    });
    expect(drawn).toEqual(["0 L1", "1 L10001"]);
  });
});

describe("pages that are there", () => {
  test("are not made again", async () => {
    const one = show("a\n");
    const made = await writeLogPages(one);
    const before = statSync(join(one.folder, "index.html")).ino;
    expect(await writeLogPages(one)).toEqual(made);
    expect(statSync(join(one.folder, "index.html")).ino).toBe(before);
  });

  test("are replaced one by one when the log is another, or more is wanted", async () => {
    await writeLogPages(show("x\n".repeat(6000)));
    const folder = statSync(join(root, "logs/a")).ino;
    await writeLogPages(show("failed: b\n"));
    expect(names()).toEqual(["index.html", "index.json"]);
    expect(page("index.html")).toContain("</a>failed: b\n");
    expect(statSync(join(root, "logs/a")).ino).toBe(folder);
    const wanted = { reasons: ["why"], tests: [] };
    const pages = await writeLogPages(show("failed: b\n", { wanted }));
    expect(urlOfFound(pages, "why")).toBe("index.html#L1");
  });

  test("are none before all are complete, and what a killed report left goes", async () => {
    const one = show("a\n".repeat(6000));
    const left = besidePath(one.folder);
    mkdirSync(left, { recursive: true });
    writeFileSync(join(left, "index.html"), "half");
    const stop = new AbortController();
    const frame = (title: string) => {
      expect(existsSync(one.folder)).toBe(false);
      stop.abort(new Error("stopped"));
      return title;
    };
    await expect(writeLogPages({ ...one, frame }, stop.signal)).rejects.toThrow(
      "stopped",
    );
    expect(readdirSync(join(root, "logs"))).toEqual([]);
    expect(await readPages(one.folder)).toBeUndefined();
  });

  test("that a power failure left empty are made again", async () => {
    const one = show("a\n");
    await writeLogPages(one);
    writeFileSync(join(one.folder, "index.html"), "");
    await writeLogPages(one);
    expect(page("index.html")).toContain("</a>a\n");
  });

  test("are none for a log that is gone", async () => {
    const one = { ...show("a\n"), log: join(root, "gone.log") };
    await expect(writeLogPages(one)).rejects.toThrow("ENOENT");
    expect(existsSync(join(root, "logs"))).toBe(false);
  });

  test("whose index is no JSON are made again", async () => {
    const one = show("a\n");
    await writeLogPages(one);
    writeFileSync(join(one.folder, "index.json"), "{");
    await writeLogPages(one);
    expect(JSON.parse(page("index.json"))).toMatchObject({ lines: 1 });
  });
});
