import type { Setting } from "../domain/setting.ts";

/** What does a part of the work; the choices are the names in kinds.ts, and the compiler compares them. */
const backend = <
  const Key extends string,
  const Choices extends readonly [string, ...string[]],
>(
  key: Key,
  choices: Choices,
  help: string,
) =>
  ({
    key,
    kind: { type: "string", choices },
    default: choices[0],
    help,
    trust: true,
  }) as const;

const timeLimit = <const Key extends string>(
  key: Key,
  minutes: number,
  help: string,
) =>
  ({
    key,
    kind: { type: "integer", min: 1, max: 10080 },
    default: minutes,
    help,
  }) as const;

/** A knob of a fake backend: see fake-knob.ts. */
const knob = <const Key extends string>(key: Key, help: string) =>
  ({ key, kind: { type: "string" }, default: "pass", help }) as const;

export const backendsSettings = [
  backend("builder", ["session", "sbuild", "fake"], "what builds packages"),
  backend("imager", ["session", "fake"], "what makes images"),
  backend("tester", ["autopkgtest", "fake"], "what runs tests"),
  backend(
    "archiveKeeper",
    ["aptly", "fake"],
    "what keeps the PPAs and the archive",
  ),
  timeLimit("build.timeoutMinutes", 240, "time limit of one package's build"),
  timeLimit("image.timeoutMinutes", 60, "time limit of one image"),
  {
    key: "network.allow",
    kind: { type: "list" },
    default: [],
    help: "private networks and addresses (IPv4) that builds, images and tests may reach beside the internet",
    trust: true,
  },
  {
    key: "tests.network",
    kind: { type: "string", choices: ["internet", "mirrors", "none"] },
    default: "internet",
    help: "network of tests: the internet, as Debian's own CI has it, the configured mirrors, or none",
    trust: true,
  },
  {
    key: "tests.on",
    kind: { type: "string", choices: ["image", "base"] },
    default: "image",
    help: "what tests run on: the ticket's image, or the base with the PPA, where a dependency that a test forgot to declare is not installed",
  },
  timeLimit("test.timeoutMinutes", 240, "time limit of one package's tests"),
  {
    key: "store.url",
    kind: { type: "string" },
    default: null,
    help: "address of the data store's folder, where a web server shows it",
  },
  {
    key: "archive.url",
    kind: { type: "string" },
    default: null,
    help: "address of the archive for clients; default: its folder, as file:",
    trust: true,
  },
  {
    key: "archive.origin",
    kind: { type: "string" },
    default: "ubuntu-ci",
    help: "Origin and Label of the archive's Release files",
    trust: true,
  },
  {
    key: "archive.validDays",
    kind: { type: "integer", min: 1, max: 3650 },
    default: 10,
    help: "days after which clients take the archive for outdated unless it is published or signed anew (Valid-Until)",
    trust: true,
  },
  {
    key: "archive.keyOverlapDays",
    kind: { type: "integer", min: 0, max: 3650 },
    default: 90,
    help: "days that the old signing key signs beside a new one, so that clients can be given the new one",
    trust: true,
  },
  knob(
    "fake.builder",
    "fake builder: pass, fail, tmpfail, slow, hold, tool, kill, remote; per package as SOURCE=KNOB,…",
  ),
  knob("fake.imager", "fake imager: the same knobs"),
  knob("fake.tester", "fake tester: the same knobs"),
  knob("fake.archive", "fake archive: the same knobs"),
  {
    key: "fake.distribution",
    kind: { type: "list" },
    default: [],
    help: "what the fake builder's distribution has: SOURCE VERSION [BINARY …]",
  },
] as const satisfies readonly Setting[];
