/**
 * Starts the program from the single file that maintenance/make-bundle.js makes, with V8's code cache:
 * finding and compiling seventy modules is most of the cost of a short command. Without that file it
 * starts from the modules; a cache from another version of Node is ignored.
 */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { Script } from "node:vm";

const bundle = join(import.meta.dirname, "../ubuntu-ci.cjs");
if (existsSync(bundle)) {
  const compiled = `${bundle}.compiled`;
  const script = new Script(readFileSync(bundle, "utf8"), {
    filename: bundle,
    ...(existsSync(compiled) && { cachedData: readFileSync(compiled) }),
  });
  const main = script.runInThisContext() as (
    require: NodeJS.Require,
    file: string,
    folder: string,
  ) => void;
  main(createRequire(bundle), bundle, dirname(bundle));
} else {
  await import("./main.ts");
}
