import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

import axe from "axe-core";
import type { Browser, Page } from "playwright-core";
import { chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { InProcess } from "./support/in-process.ts";
import { hostileTitle, siteState } from "./support/site-state.ts";

/** The pages of a state with tickets of every kind, as browsers and people see them. */
let ci: InProcess;
let site: string;
let browser: Browser;

beforeAll(async () => {
  ci = await siteState(8);
  site = join(ci.state, "report");
  browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu"],
  });
});
afterAll(async () => {
  await browser.close();
  ci.remove();
});

const htmlPages = () =>
  readdirSync(site, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".html"))
    .sort();

/** A page of each kind: of a kind that has many, one for each status of a ticket. */
function kindsOfPages(): string[] {
  const seen = new Set<string>();
  return htmlPages().filter((path) => {
    const html = readFileSync(join(site, path), "utf8");
    const status = /class="lead"><span class="chip ([a-z-]+)"/.exec(html)?.[1];
    const kind = `${path.split("/")[0] ?? ""} ${path.split("/").length} ${status ?? ""}`;
    if (seen.has(kind)) return false;
    seen.add(kind);
    return true;
  });
}

async function withPage(
  options: { width: number; colorScheme: "light" | "dark"; script?: boolean },
  use: (page: Page, requests: string[]) => Promise<void>,
): Promise<void> {
  const context = await browser.newContext({
    viewport: { width: options.width, height: 800 },
    colorScheme: options.colorScheme,
    javaScriptEnabled: options.script ?? true,
    // The pages allow no script, and axe is one.
    bypassCSP: true,
  });
  try {
    const page = await context.newPage();
    const requests: string[] = [];
    page.on("request", (request) => requests.push(request.url()));
    await use(page, requests);
  } finally {
    await context.close();
  }
}

const urlOf = (path: string) => pathToFileURL(join(site, path)).href;

test("every link and every fragment of the whole site leads somewhere", () => {
  const broken: string[] = [];
  const pages = new Map(
    htmlPages().map((path) => [path, readFileSync(join(site, path), "utf8")]),
  );
  expect(pages.size).toBeGreaterThan(100);
  for (const [path, html] of pages)
    for (const [, raw = ""] of html.matchAll(/(?:href|src)="([^"]*)"/g)) {
      const link = raw.replaceAll("&amp;", "&");
      if (/^https?:/.test(link)) continue;
      const [to = "", fragment] = link.split("#");
      const target =
        to === ""
          ? path
          : join(dirname(path), decodeURIComponent(to.split("?")[0] ?? ""));
      const isInside =
        !target.startsWith("..") && existsSync(join(site, target));
      const isThere =
        fragment === undefined ||
        pages.get(target)?.includes(` id="${fragment}"`) === true;
      if (!isInside || !isThere) broken.push(`${path}: ${link}`);
    }
  expect(broken).toEqual([]);
});

describe.each([
  { width: 360, colorScheme: "light" },
  { width: 360, colorScheme: "dark" },
  { width: 1400, colorScheme: "light" },
  { width: 1400, colorScheme: "dark" },
] as const)("at $width px, $colorScheme", (how) => {
  test("pages of every kind have no violation that axe finds, and ask nobody for anything", async () => {
    const found: string[] = [];
    await withPage(how, async (page, requests) => {
      for (const path of kindsOfPages()) {
        await page.goto(urlOf(path));
        await page.evaluate(axe.source);
        const { violations } = await page.evaluate<{
          violations: { id: string; nodes: { html: string }[] }[];
        }>(
          "axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })",
        );
        for (const { id, nodes } of violations)
          found.push(`${path}: ${id}: ${nodes[0]?.html.slice(0, 200) ?? ""}`);
        const wide = await page.evaluate<number>(
          "document.documentElement.scrollWidth - document.documentElement.clientWidth",
        );
        if (wide > 0) found.push(`${path}: ${wide} px too wide`);
      }
      expect(requests.filter((url) => !url.startsWith(urlOf("")))).toEqual([]);
    });
    expect(found).toEqual([]);
  });
});

test("a keyboard gets everywhere on the front page, and shows where it is", async () => {
  await withPage({ width: 1400, colorScheme: "light" }, async (page) => {
    await page.goto(urlOf("index.html"));
    const links = await page.evaluate<number>(
      "document.querySelectorAll('a[href], summary, [tabindex=\"0\"]').length",
    );
    const seen = new Set<string>();
    for (let index = 0; index < links; index += 1) {
      await page.keyboard.press("Tab");
      const { at, outline } = await page.evaluate<{
        at: string;
        outline: string;
      }>(`(() => {
        const all = [...document.querySelectorAll("*")];
        const at = document.activeElement;
        return { at: String(all.indexOf(at)), outline: getComputedStyle(at).outlineStyle };
      })()`);
      expect(outline).not.toBe("none");
      seen.add(at);
    }
    expect(seen.size).toBe(links);
  });
});

test("what is hostile is text, with and without scripts", async () => {
  const path = htmlPages().find(
    (one) =>
      one.startsWith("tickets/") &&
      readFileSync(join(site, one), "utf8").includes("alert(1)"),
  );
  for (const script of [true, false])
    await withPage(
      { width: 360, colorScheme: "light", script },
      async (page) => {
        page.on("dialog", () => {
          throw new Error("a script ran");
        });
        await page.goto(urlOf(path ?? ""));
        expect(await page.textContent("h1")).toContain(
          hostileTitle.slice(0, "<script>alert(1)</script>".length),
        );
        expect(await page.locator("main script").count()).toBe(0);
      },
    );
});

test("the same site works from any folder", () => {
  // Nothing in it knows where it is.
  const absolute = htmlPages().filter((path) =>
    readFileSync(join(site, path), "utf8").includes(`="${resolve(site)}`),
  );
  expect(absolute).toEqual([]);
});
