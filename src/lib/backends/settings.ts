import type { Setting } from "../domain/setting.ts";

// The choices are the names of the kinds in kinds.ts, which the compiler holds against each other.
export const backendsSettings = [
  {
    key: "builder",
    kind: { type: "string", choices: ["session", "sbuild", "fake"] },
    default: "session",
    help: "what builds packages",
    trust: true,
  },
  {
    key: "imager",
    kind: { type: "string", choices: ["session", "fake"] },
    default: "session",
    help: "what makes images",
    trust: true,
  },
  {
    key: "tester",
    kind: { type: "string", choices: ["autopkgtest", "fake"] },
    default: "autopkgtest",
    help: "what runs tests",
    trust: true,
  },
  {
    key: "archiveKeeper",
    kind: { type: "string", choices: ["aptly", "fake"] },
    default: "aptly",
    help: "what keeps the PPAs and the archive",
    trust: true,
  },
  {
    key: "build.timeoutMinutes",
    kind: { type: "integer", min: 1, max: 10080 },
    default: 240,
    help: "time limit of one package's build",
  },
  {
    key: "image.timeoutMinutes",
    kind: { type: "integer", min: 1, max: 10080 },
    default: 60,
    help: "time limit of one image",
  },
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
    key: "test.timeoutMinutes",
    kind: { type: "integer", min: 1, max: 10080 },
    default: 240,
    help: "time limit of one package's tests",
  },
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
    key: "fake.builder",
    kind: { type: "string" },
    default: "pass",
    help: "fake builder: pass, fail, tmpfail, slow, hold, tool, kill, remote; per package as SOURCE=KNOB,…",
  },
  {
    key: "fake.imager",
    kind: { type: "string" },
    default: "pass",
    help: "fake imager: the same knobs",
  },
  {
    key: "fake.tester",
    kind: { type: "string" },
    default: "pass",
    help: "fake tester: the same knobs",
  },
  {
    key: "fake.archive",
    kind: { type: "string" },
    default: "pass",
    help: "fake archive: the same knobs",
  },
] as const satisfies readonly Setting[];
