import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { fakeBackends, Installation, program } from "./support/program.ts";

/** The whole program where a tool is missing: a person has to act, so no retry is used up. */
const fakes = {
  ...fakeBackends,
  retry: { firstDelaySeconds: 0 },
};

let ci: Installation;
const path = process.env["PATH"];

beforeEach(() => {
  ci = new Installation(fakes);
  ci.ok("init");
  ci.addUploader();
});

afterEach(() => {
  process.env["PATH"] = path;
  ci.remove();
});

test("sbuild: exit 78 at once with the package to install, and the ticket waits for that", () => {
  const upload = ci.upload("hello", "1.0", program("hello"));
  const id = ci.ok("create_ticket", "-t", "hello", "-s", upload);
  writeFileSync(
    join(ci.root, "config.json"),
    JSON.stringify({ ...fakes, builder: "sbuild" }),
  );
  const folder = join(ci.root, "path");
  mkdirSync(folder);
  for (const name of readdirSync("/usr/bin"))
    if (!["sbuild", "node"].includes(name))
      symlinkSync(join("/usr/bin", name), join(folder, name));
  symlinkSync(process.execPath, join(folder, "node"));
  process.env["PATH"] = folder;

  const landed = ci.run("land");
  expect(landed.code).toBe(78);
  expect(landed.stderr).toContain("sbuild is not installed");
  expect(landed.stderr).toContain("apt-get install sbuild");
  for (let again = 0; again < 5; again += 1)
    expect(ci.run("build-source").code).toBe(78);
  expect(ci.ticket(id)).toMatchObject({
    status: "waiting",
    step: { code: 200 },
    failure: null,
    waiting_for: "sbuild is not installed (apt-get install sbuild)",
  });

  writeFileSync(join(ci.root, "config.json"), JSON.stringify(fakes));
  process.env["PATH"] = path;
  expect(ci.run("land").code).toBe(0);
  expect(ci.ticket(id).status).toBe("done");
});
