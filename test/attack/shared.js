import { accessSync, constants } from "node:fs";
import { join } from "node:path";

import { proved } from "./package.js";

const source = "at-shared";

/** The packages that carry the pieces: a build dependency, and one that is built, installed, tested. */
function packagesOf(pieces) {
  const at = (where) =>
    pieces.filter(({ attack }) => attack.piece.at === where);
  const script = (where) =>
    at(where)
      .map(({ attack, here }) => proved(here.id, attack.piece.script(here)))
      .join("") || ":\n";
  const tests = (where, root) =>
    at(where).map(({ attack, here }) => ({
      name: here.id,
      root,
      script: proved(here.id, attack.piece.script(here)),
    }));
  return [
    {
      source: `${source}-dep`,
      binaries: [{ name: `${source}-dep`, postinst: script("dependency") }],
    },
    {
      source,
      buildDepends: `${source}-dep`,
      build: script("rules"),
      binaries: [{ name: source, postinst: script("image") }],
      tests: [...tests("test", false), ...tests("root-test", true)],
    },
  ];
}

/**
 * Lands the shared package, from a terminal, with an operator's environment, keyring, descriptors and
 * umask that nothing inside has any business with. What is found meanwhile from outside goes into
 * `found`, by attack.
 */
export async function startShared(place, pieces, found) {
  const ticket = await place.ticket(packagesOf(pieces));
  const over = new AbortController();
  const looking = pieces
    .filter(({ attack }) => attack.piece.during !== undefined)
    .map(async ({ attack, here }) => {
      const through = await attack.piece.during(here, over.signal);
      if (through !== undefined) found.set(attack.id, through);
    });
  const env = Object.assign(
    {},
    ...pieces.map(({ attack, here }) => attack.piece.env?.(here) ?? {}),
  );
  const ended = await place.land(
    place.argv("land", "--ticket", ticket, "--until", "run-tests"),
    {
      env,
      wrapped: true,
      timeoutMs: 400_000,
      keys: pieces.map(({ here }) => [`attack-${here.id}`, here.canary.secret]),
    },
  );
  over.abort();
  await Promise.all(looking);
  return { told: await place.told(ticket), ended };
}

/** Whether a tool is on PATH. */
export function findTool(tool) {
  return (process.env.PATH ?? "").split(":").some((folder) => {
    try {
      accessSync(join(folder, tool), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
