import type { Setting } from "../domain/setting.ts";

export const reportSettings = [
  {
    key: "report.title",
    kind: { type: "string" },
    default: "ubuntu-ci",
    help: "title of the report",
  },
  {
    key: "report.url",
    kind: { type: "string" },
    default: null,
    help: "address under which readers find the report (for the links in feeds)",
  },
  {
    key: "report.rsyncTarget",
    kind: { type: "string" },
    default: null,
    help: "where `shepherd-report --rsync` sends the report",
    trust: true,
  },
] as const satisfies readonly Setting[];
