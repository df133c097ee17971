import { InProcess } from "./in-process.ts";

/** How many tickets of each kind the state of a site has. */
const ofEachKind = 24;

/** Text that would be more than text, if a page let it. */
export const hostileTitle =
  "<script>alert(1)</script> \u001b[31mred\u001b[0m \u202egnol &amp; a-word-" +
  "w".repeat(300);

/**
 * A state with tickets of every kind: landed, failed by the package and by infrastructure, set aside,
 * held, drafts, cancelled, overridden, taken out again, waiting and half done; good and bad landings.
 *
 * @param each how many of each kind
 */
export async function siteState(each = ofEachKind): Promise<InProcess> {
  const ci = await InProcess.init({ report: { title: "Example archive" } });
  const several = async (what: (index: number) => Promise<unknown>) => {
    for (let index = 0; index < each; index += 1) await what(index);
  };
  await several((index) => ci.create(`landed-${index}`, "1.0-1"));
  await ci.run("land");
  // Every third of them in a second version.
  await several(async (index) => {
    if (index % 3 === 0) await ci.create(`landed-${index}`, "1.1-1");
  });
  await ci.run("land");
  for (const [revision, verdict] of [
    [1, "ok"],
    [2, "untestable"],
    [3, "ok"],
    [4, "bad"],
  ] as const)
    await ci.run(
      ...["qa", String(revision), verdict],
      ...["--note", "tried on a real machine"],
    );
  await ci.run("archive", "promote");
  await ci.run("archive", "undo", "6", "--reason", "it breaks the boot");
  ci.configure({
    report: { title: "Example archive" },
    fake: { builder: "fail", tester: "pass" },
  });
  await several((index) => ci.create(`unbuildable-${index}`, "2:3.0~rc1-1"));
  await ci.run("land");
  ci.configure({
    report: { title: "Example archive" },
    retry: { firstDelaySeconds: 0, limit: 0 },
    fake: { builder: "tmpfail" },
  });
  await several((index) => ci.create(`unlucky-${index}`));
  await ci.run("land");
  ci.configure({
    report: { title: "Example archive" },
    fake: { tester: "fail" },
  });
  await several((index) => ci.create(`untrusted-${index}`));
  await ci.run("land");
  ci.configure({ report: { title: "Example archive" } });
  await several(async (index) => {
    const id = await ci.create(`cancelled-${index}`);
    await ci.run("cancel", id, "--reason", "a newer one is on its way");
  });
  await several(async (index) => {
    const id = await ci.create(`held-${index}`);
    await ci.run("update_ticket", id, "--hold");
  });
  // Admission refuses the worst of it; an older state may have it.
  const hostile = await ci.ok(
    ...["create_ticket", "-t", "hostile", "-s", ci.upload("hostile")],
    ...["--bug", "https://bugs.example.com/1", "-o", "eve@example.com"],
  );
  ci.sql(
    "UPDATE ticket SET title = ?, description = ? WHERE id = ?",
    hostileTitle,
    `see https://example.com/a?b=1&c=2, or ${hostileTitle}`,
    Number(hostile),
  );
  await several((index) => ci.create(`waiting-${index}`));
  await ci.run("build-source", "--limit", "1");
  await ci.run("shepherd-report");
  return ci;
}
