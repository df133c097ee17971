import { isDownload, packageFolder } from "../domain/published-name.ts";
import { shownJson } from "../domain/shown-text.ts";
import type { ReportInput } from "./report-input.ts";
import type { Site } from "./site.ts";
import { htmlTemplates } from "./templates.ts";
import * as view from "./view-model.ts";

/** Writes a page and the JSON document beside it. */
export type WritePage = (page: Page) => void;

/** A page of the report; its folder is relative to the report's, with forward slashes. */
export interface Page {
  readonly folder: string;
  /** Name of the template of its body. */
  readonly template: string;
  readonly title: string;
  /** What the template shows, besides the report's input. */
  readonly data: object;
  /** The document beside the page. */
  readonly json: unknown;
  /** What the page was made from, ISO 8601 UTC: it stays true when the page gets old. */
  readonly asOf: string;
  /** Whether the page is written every time, and so may show temporary conditions: maintenance, warnings. */
  readonly everyTime?: boolean;
  /** Feeds about what it shows: their paths in the report, and titles. */
  readonly feeds?: readonly { readonly path: string; readonly title: string }[];
  /** What it loads from beside itself, besides the style sheet. */
  readonly loads?: "images" | "script";
}

const eta = htmlTemplates();

const plain = { feeds: [], loads: "nothing" } as const;

const rootOf = (folder: string) =>
  folder === "" ? "." : folder.replaceAll(/[^/]+/g, "..");

/** Puts a body into a page that is made once, and so shows nothing that may change. */
export function framePage(
  { title: name }: Pick<ReportInput, "title">,
  { folder, title, asOf }: Pick<Page, "folder" | "title" | "asOf">,
  body: string,
): string {
  const input = { title: name, signatures_optional: false };
  const common = { ...view, input, root: rootOf(folder), title, asOf, body };
  return eta.render("page", { ...common, ...plain, everyTime: false });
}

/** Writes the pages of a report to a site. */
export function pageWriter(site: Site, input: ReportInput): WritePage {
  return (page) => {
    const { folder, template, title, data, json, asOf } = page;
    const root = rootOf(folder);
    const common = {
      ...view,
      packageFolder,
      isDownload,
      input,
      root,
      title,
      asOf,
      everyTime: page.everyTime ?? false,
      feeds: page.feeds ?? plain.feeds,
      loads: page.loads ?? plain.loads,
      ...data,
    };
    const body = eta.render(template, common);
    const path = (name: string) => (folder === "" ? name : `${folder}/${name}`);
    site.write(path("index.html"), eta.render("page", { ...common, body }));
    site.write(path("index.json"), `${shownJson(json, 2)}\n`);
  };
}
