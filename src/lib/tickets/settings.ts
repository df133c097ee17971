import type { Setting } from "../domain/setting.ts";

export const ticketsSettings = [
  {
    key: "admission.signatures",
    kind: { type: "string", choices: ["required", "optional"] },
    default: "required",
    help: "whether an upload must be signed by an uploader",
    trust: true,
  },
  {
    key: "admission.suites",
    kind: { type: "table" },
    default: {
      "SERIES-proposed": "SERIES",
      "SERIES-proposed-updates": "SERIES",
      "SERIES-updates": "SERIES",
      "SERIES-security": "SERIES",
      "SERIES-backports": "SERIES",
      "SERIES-backports-sloppy": "SERIES",
    },
    help: "what else an upload's Distribution may be, and for which series it is taken; SERIES is each series in turn",
  },
  {
    key: "admission.maxFileMiB",
    kind: { type: "integer", min: 1, max: 1048576 },
    default: 2048,
    help: "largest file of an upload",
  },
  {
    key: "admission.maxFiles",
    kind: { type: "integer", min: 1, max: 10000 },
    default: 100,
    help: "most files of an upload",
  },
  {
    key: "admission.maxTotalMiB",
    kind: { type: "integer", min: 1, max: 1048576 },
    default: 8192,
    help: "most of all files of a ticket together",
  },
  {
    key: "shepherd.source",
    kind: { type: "string", choices: ["archive", "git"] },
    default: "archive",
    help: "where landings come from: publications into the archive, or commits of a git branch",
  },
  {
    key: "shepherd.repository",
    kind: { type: "string" },
    default: null,
    help: "absolute path of the local git repository, for `shepherd.source: git`",
  },
  {
    key: "shepherd.branch",
    kind: { type: "string" },
    default: "main",
    help: "the branch there whose commits are landings",
  },
  {
    key: "shepherd.deployedRef",
    kind: { type: "string" },
    default: null,
    help: "a branch or tag there that names what is deployed; default: nothing is",
  },
  {
    key: "shepherd.orphans",
    kind: { type: "string", choices: ["block", "pass"] },
    default: "block",
    help: "whether a commit with neither bug nor clause blocks as if it needed testing",
  },
] as const satisfies readonly Setting[];
