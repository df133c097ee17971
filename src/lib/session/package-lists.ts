import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";

import { namesIn } from "../files/names-in.ts";
import type { Base } from "./layer.ts";

/**
 * The Packages indexes of the distribution that a base was made with, one after another, as text in
 * Latin-1. None where the base has them in a form that is not plain text.
 */
export async function* packageLists(
  base: Pick<Base, "root">,
): AsyncGenerator<string> {
  const folder = join(base.root, "var/lib/apt/lists");
  for (const name of await namesIn(folder)) {
    if (!name.endsWith("_Packages")) continue;
    const { O_RDONLY, O_NOFOLLOW } = constants;
    const file = await open(join(folder, name), O_RDONLY | O_NOFOLLOW);
    try {
      yield await file.readFile("latin1");
    } finally {
      await file.close();
    }
  }
}
