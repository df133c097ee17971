/**
 * Starts the program from the one file that maintenance/make-bundle.js makes of it, with what V8 compiled
 * of that file before: finding and compiling seventy modules is most of what a short command costs.
 * Without that file it starts from the modules, and with another Node's compiled code that is left aside.
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
