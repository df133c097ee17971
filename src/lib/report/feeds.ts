import { createHash } from "node:crypto";

import { Feed } from "feed";

import type { FeedEvent } from "../domain/feed-event.ts";
import { oneLine, shownText } from "../domain/shown-text.ts";
import { escapeHtml } from "./templates.ts";

/** What a feed is about. */
export interface FeedHead {
  /** Where it lies in the report: `feeds/all.atom`. */
  readonly path: string;
  readonly title: string;
  /** Where the page lies that it belongs to: `owners/x/index.html`. */
  readonly page: string;
  /** Title of the report, and its address if it is known. */
  readonly site: string;
  readonly url: string | null;
  /** What tells this state from every other. */
  readonly origin: string;
  /** ISO 8601 UTC, of a feed without entries. */
  readonly asOf: string;
}

/** Who makes the tags (RFC 4151). No domain of anybody's, since no setting may change them: readers would show all entries again. */
const tag = "tag:ubuntu-ci.invalid,2026:";
/** An address for the library, which takes none that are relative; they are made relative again. */
const nowhere = "http://report.invalid/";

/**
 * A feed (Atom, RFC 4287). The same events give the same text.
 *
 * @param events newest first
 */
export function atomFeed(head: FeedHead, events: readonly FeedEvent[]): string {
  const base = head.url === null ? nowhere : withSlash(head.url);
  const feed = new Feed({
    id: `${tag}feed/${digest([head.origin, head.path])}`,
    title: clean(head.title),
    link: `${base}${head.page}`,
    feed: `${base}${head.path}`,
    updated: new Date(events[0]?.at ?? head.asOf),
    generator: "ubuntu-ci",
    author: { name: clean(head.site) },
  });
  for (const event of events)
    feed.addItem({
      id: idOf(event),
      title: escapeHtml(clean(titleOf(event))),
      link: `${base}${pageOf(event)}`,
      date: new Date(event.at),
      content: contentOf(event),
      category: [{ term: event.kind, name: event.kind }],
      ...(event.owner !== null && { author: [{ name: clean(event.owner) }] }),
    });
  const text = `${feed.atom1()}\n`;
  if (head.url !== null) return text;
  const up = "../".repeat(head.path.split("/").length - 1);
  return text
    .replaceAll(`href="${nowhere}`, 'href="')
    .replace("<feed xmlns=", `<feed xml:base="${up}" xmlns=`);
}

const withSlash = (url: string) => (url.endsWith("/") ? url : `${url}/`);

/** The entry's identity, the same in every feed: number and time also differ between a state and what was restored of it. */
function idOf({ id, at, actor, kind, ticket }: FeedEvent): string {
  const of = kind === "regression" ? "regression" : "event";
  return `${tag}${of}/${id}/${digest([id, at, actor, ticket])}`;
}

const digest = (parts: readonly unknown[]) =>
  createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 32);

/** A text in one line, without what XML cannot contain (XML 1.0, 2.2) and without what is hidden. */
const clean = (text: string) => oneLine(withoutNonCharacters(text));

const withoutNonCharacters = (text: string) =>
  text.replaceAll(/[\ufffe\uffff]/g, "");

const beginnings: Readonly<Record<FeedEvent["kind"], string>> = {
  landed: "Landed",
  failed: "Failed",
  "set-aside": "Set aside",
  "taken-out": "Taken out of the archive",
  back: "Back in the archive",
  reverted: "Archive reverted",
  regression: "New failure",
  bad: "Found to be bad",
};

/** How many sources and tests a title names. */
const named = 3;

function titleOf(event: FeedEvent): string {
  const { kind, blame, sources, tests, title, revision, why } = event;
  const whose =
    kind !== "failed"
      ? ""
      : blame === "package"
        ? " by the package"
        : " by infrastructure";
  const what =
    kind === "regression"
      ? some(tests.map((test) => `${test.package} ${test.name}`))
      : some(sources.map(({ source, version }) => `${source} ${version}`));
  const about =
    what !== ""
      ? what
      : revision === null
        ? (why ?? "")
        : `revision ${revision}${why === null ? "" : `, ${why}`}`;
  return `${beginnings[kind]}${whose}: ${about}${title === null ? "" : ` (${title})`}`;
}

const some = (names: readonly string[]) =>
  names.length > named
    ? `${names.slice(0, named).join(", ")} and ${names.length - named} more`
    : names.join(", ");

const pageOf = ({ ticket }: FeedEvent) =>
  ticket === null ? "landings/index.html" : `tickets/${ticket}/index.html`;

function contentOf(event: FeedEvent): string {
  const { ticket, owner, sources, revision, why, tests, actor } = event;
  const list = (items: readonly string[]) =>
    items.length === 0
      ? ""
      : `<ul>${items.map((item) => `<li>${item}</li>`).join("")}</ul>`;
  const text = (one: string) =>
    escapeHtml(withoutNonCharacters(shownText(one)));
  return [
    ...(ticket === null
      ? [`<p>By ${text(actor)}.</p>`]
      : [`<p>Ticket ${ticket} of ${text(owner ?? "nobody")}.</p>`]),
    ...(why === null ? [] : [`<p>${text(why)}</p>`]),
    list(tests.map((test) => `${text(test.package)}: ${text(test.name)}`)),
    list(
      sources.map(({ source, version }) => `${text(source)} ${text(version)}`),
    ),
    ...(revision === null ? [] : [`<p>Archive revision ${revision}.</p>`]),
  ].join("");
}
