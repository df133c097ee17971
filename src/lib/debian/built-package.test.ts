import { expect, test } from "vitest";

import { notBuiltBy, sourceOf } from "./built-package.ts";

const foo = {
  source: "foo",
  version: "1:2.0-1",
  builds: ["foo", "foo-doc", "foo-udeb"],
};
const built = {
  name: "foo",
  version: "1:2.0-1",
  architecture: "amd64",
  source: null,
};

test.each([
  ["foo_2.0-1_amd64.deb", built],
  [
    "foo-doc_2.0-1_all.deb",
    { ...built, name: "foo-doc", architecture: "all", source: "foo" },
  ],
  ["foo-udeb_2.0-1_amd64.udeb", { ...built, name: "foo-udeb", source: "foo" }],
  [
    "foo-dbgsym_2.0-1_amd64.deb",
    { ...built, name: "foo-dbgsym", source: "foo" },
  ],
  [
    // As gcc-defaults builds gcc: a binary version of its own.
    "foo_12.2_amd64.deb",
    { ...built, version: "4:12.2", source: "foo (1:2.0-1)" },
  ],
])("%s is a package of its source", (file, control) => {
  expect(notBuiltBy(foo, file, control)).toBeNull();
});

test.each([
  [
    "foo_1_all.deb",
    { ...built, name: "victim", version: "2", architecture: "all" },
    "foo_1_all.deb holds victim 2 of all",
  ],
  [
    "foo_2.0-1_amd64.deb",
    { ...built, architecture: "i386" },
    "foo_2.0-1_amd64.deb holds foo 1:2.0-1 of i386",
  ],
  [
    "foo_2.0-1_amd64.deb",
    { ...built, version: "1:3" },
    "foo_2.0-1_amd64.deb holds foo 1:3 of amd64",
  ],
  [
    "less_2.0-1_amd64.deb",
    { ...built, name: "less", source: "foo" },
    "less_2.0-1_amd64.deb is of less, which the Binary field of foo does not name",
  ],
  [
    "less-dbgsym_2.0-1_amd64.deb",
    { ...built, name: "less-dbgsym", source: "foo" },
    "less-dbgsym_2.0-1_amd64.deb is of less-dbgsym, which the Binary field of foo does not name",
  ],
  [
    "foo-doc_2.0-1_amd64.deb",
    { ...built, name: "foo-doc" },
    "foo-doc_2.0-1_amd64.deb says that its source is foo-doc, not foo",
  ],
  [
    "foo_2.0-1_amd64.deb",
    { ...built, source: "other" },
    "foo_2.0-1_amd64.deb says that its source is other, not foo",
  ],
  [
    "foo_2.0-1_amd64.deb",
    { ...built, source: "foo (1:1.9-1)" },
    "foo_2.0-1_amd64.deb says that it was built from foo 1:1.9-1, not 1:2.0-1",
  ],
])("%s is none: %o", (file, control, why) => {
  expect(notBuiltBy(foo, file, control)).toBe(why);
});

test("a Source field names a version when it is not the package's own", () => {
  const of = (source: string | null) =>
    sourceOf({ name: "a", version: "2", source });
  expect(of(null)).toEqual({ name: "a", version: "2" });
  expect(of("b")).toEqual({ name: "b", version: "2" });
  expect(of("b (3)")).toEqual({ name: "b", version: "3" });
});
