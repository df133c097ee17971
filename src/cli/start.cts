/**
 * Starts the program from the single file that maintenance/make-bundle.js makes, with V8's code cache:
 * finding and compiling seventy modules is most of the cost of a short command. Without that file it
 * starts from the modules; a cache from another version of Node is ignored.
 *
 * It is CommonJS, since Node's loader of ES modules costs a short command some milliseconds more.
 */
const { existsSync, readFileSync } = process.getBuiltinModule("node:fs");
const { createRequire } = process.getBuiltinModule("node:module");
const path = process.getBuiltinModule("node:path");
const { Script } = process.getBuiltinModule("node:vm");

const bundle = path.join(__dirname, "../ubuntu-ci.cjs");
if (existsSync(bundle)) {
  const compiled = `${bundle}.compiled`;
  // It is all ASCII.
  const script = new Script(readFileSync(bundle, "latin1"), {
    filename: bundle,
    ...(existsSync(compiled) && { cachedData: readFileSync(compiled) }),
  });
  const main = script.runInThisContext() as (
    require: NodeJS.Require,
    file: string,
    folder: string,
  ) => void;
  main(createRequire(bundle), bundle, path.dirname(bundle));
} else {
  void import("./main.ts");
}
