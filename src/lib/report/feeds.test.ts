import { execFileSync } from "node:child_process";

import { describe, expect, test } from "vitest";

import type { FeedEvent } from "../domain/feed-event.ts";
import type { FeedHead } from "./feeds.ts";
import { atomFeed } from "./feeds.ts";

const head: FeedHead = {
  path: "feeds/owners/x.atom",
  page: "owners/x/index.html",
  title: "what <b>happens</b> & more \u0000\u001b[31m ]]> \ufffe",
  site: "Example",
  url: null,
  origin: "1 2026",
  asOf: "2026-01-01T00:00:00.000Z",
};

const landed: FeedEvent = {
  id: 7,
  at: "2026-01-02T03:04:05.678Z",
  actor: "ci@host",
  kind: "landed",
  ticket: 3,
  title: "Fix it",
  owner: "dev@example.com",
  sources: [{ source: "hello", version: "2.10-4" }],
  revision: 5,
  blame: null,
  why: null,
  tests: [],
};

/** Parses a feed as readers do (Expat), and gives what it says. */
function parsed(text: string): {
  readonly base: string | null;
  readonly id: string;
  readonly title: string;
  readonly updated: string;
  readonly links: readonly (readonly [string, string])[];
  readonly entries: readonly {
    readonly id: string;
    readonly title: string;
    readonly updated: string;
    readonly link: string;
    readonly content: string;
  }[];
} {
  const script = `
import json, sys
from xml.etree import ElementTree
atom = "{http://www.w3.org/2005/Atom}"
feed = ElementTree.fromstring(sys.stdin.buffer.read())
assert feed.tag == atom + "feed"
assert feed.find(atom + "author").find(atom + "name").text
of = lambda node, *names: {name: node.find(atom + name).text for name in names}
print(json.dumps({
  **of(feed, "id", "title", "updated"),
  "base": feed.get("{http://www.w3.org/XML/1998/namespace}base"),
  "links": [[link.get("rel"), link.get("href")] for link in feed.findall(atom + "link")],
  "entries": [{
    **of(entry, "id", "title", "updated", "content"),
    "link": entry.find(atom + "link").get("href"),
  } for entry in feed.findall(atom + "entry")],
}))`;
  return JSON.parse(
    execFileSync("python3", ["-c", script], { input: text, encoding: "utf8" }),
  ) as ReturnType<typeof parsed>;
}

test("a feed has the time and the page of each event, and says the same again", () => {
  const text = atomFeed(head, [landed]);
  expect(atomFeed(head, [landed])).toBe(text);
  const { entries, updated } = parsed(text);
  expect(updated).toBe(landed.at);
  expect(entries).toEqual([
    {
      id: expect.stringMatching(
        /^tag:[a-z.-]+,2026:event\/7\/[0-9a-f]{32}$/,
      ) as string,
      title: "Landed: hello 2.10-4 (Fix it)",
      updated: landed.at,
      link: "tickets/3/index.html",
      content: expect.stringContaining("Ticket 3 of dev@example.com") as string,
    },
  ]);
});

test("a feed without entries has the time of what it is about", () => {
  expect(parsed(atomFeed(head, []))).toMatchObject({
    updated: head.asOf,
    entries: [],
  });
});

describe("links", () => {
  test("are relative to the report where its address is not known", () => {
    const { base, links } = parsed(atomFeed(head, [landed]));
    expect(base).toBe("../../");
    expect(links).toEqual([
      ["alternate", "owners/x/index.html"],
      ["self", "feeds/owners/x.atom"],
    ]);
  });

  test.each([
    "https://ci.example.com/report",
    "https://ci.example.com/report/",
  ])("begin with the address %s", (url) => {
    const { base, links, entries } = parsed(
      atomFeed({ ...head, url }, [landed]),
    );
    expect(base).toBeNull();
    expect(links[1]).toEqual([
      "self",
      "https://ci.example.com/report/feeds/owners/x.atom",
    ]);
    expect(entries[0]?.link).toBe(
      "https://ci.example.com/report/tickets/3/index.html",
    );
  });
});

describe("identities", () => {
  const idIn = (event: FeedEvent, more: Partial<FeedHead> = {}) =>
    parsed(atomFeed({ ...head, ...more }, [event])).entries[0]?.id;

  test("of an entry are the same in every feed, whatever is set and said of the ticket later", () => {
    const id = idIn(landed);
    expect(
      idIn(
        { ...landed, title: "another", owner: "other@example.com", why: "x" },
        { url: "https://example.com", path: "feeds/all.atom", title: "All" },
      ),
    ).toBe(id);
  });

  test("differ between events, and between a state and one that was restored since", () => {
    const later = { ...landed, at: "2026-01-03T00:00:00.000Z" };
    const other = { ...landed, id: 8 };
    const ids = [landed, later, other, { ...landed, kind: "regression" }];
    expect(new Set(ids.map((one) => idIn(one as FeedEvent))).size).toBe(4);
  });

  test("of a feed differ between installations", () => {
    const one = parsed(atomFeed(head, [])).id;
    expect(parsed(atomFeed({ ...head, origin: "other" }, [])).id).not.toBe(one);
  });
});

test("hostile texts are texts, without what XML cannot contain", () => {
  const nasty =
    "<script>alert(1)</script> & ]]> \u0000\u0008\u001b[31m \ufffe\uffff \ud800 \u202e\n<entry>";
  const { title, entries } = parsed(
    atomFeed(head, [
      {
        ...landed,
        kind: "failed",
        blame: "package",
        title: nasty,
        owner: nasty,
        why: nasty,
        actor: nasty,
        sources: [{ source: nasty, version: nasty }],
        tests: [{ package: nasty, name: nasty }],
      },
      { ...landed, id: 6, ticket: null, title: null, sources: [], why: nasty },
    ]),
  );
  expect(title).toBe("what <b>happens</b> & more \\x00\\x1b[31m ]]>");
  expect(entries).toHaveLength(2);
  // The library gives both as HTML.
  for (const entry of entries) {
    expect(entry.title).not.toContain("<");
    expect(entry.title).toContain("&lt;script&gt;alert(1)&lt;/script&gt;");
    expect(entry.content).not.toMatch(/<(?!\/?(?:p|ul|li)>)/);
    expect(entry.content).toContain("\\u202e");
  }
});

test.each([
  [{ kind: "failed", blame: "package", why: "no" }, "Failed by the package: "],
  [{ kind: "failed", blame: "infrastructure" }, "Failed by infrastructure: "],
  [{ kind: "set-aside" }, "Set aside: "],
  [{ kind: "taken-out" }, "Taken out of the archive: "],
  [{ kind: "bad" }, "Found to be bad: "],
] as const)("the title of %o begins with what happened", (what, begins) => {
  const { entries } = parsed(atomFeed(head, [{ ...landed, ...what }]));
  expect(entries[0]?.title).toBe(`${begins}hello 2.10-4 (Fix it)`);
});

test("the title of new failures names the tests, and not all of many", () => {
  const tests = ["a", "b", "c", "d", "e"].map((name) => ({
    package: "hello",
    name,
  }));
  const { entries } = parsed(
    atomFeed(head, [{ ...landed, kind: "regression", tests }]),
  );
  expect(entries[0]?.title).toBe(
    "New failure: hello a, hello b, hello c and 2 more (Fix it)",
  );
  expect(entries[0]?.content).toContain("<li>hello: e</li>");
});

test("what was done to the archive leads to its landings", () => {
  const { entries } = parsed(
    atomFeed(head, [
      {
        ...landed,
        kind: "reverted",
        ticket: null,
        title: null,
        owner: null,
        sources: [],
        why: "back to revision 3: it breaks",
      },
    ]),
  );
  expect(entries[0]).toMatchObject({
    title: "Archive reverted: revision 5, back to revision 3: it breaks",
    link: "landings/index.html",
  });
});
