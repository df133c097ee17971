// Makes dist/ubuntu-ci.cjs, the program in one file, and V8's code cache of it for short commands
// (src/cli/start.ts uses both). With `bundle` or `precompile` it does only that part: the second runs the
// program, and so needs better-sqlite3's native library.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { Script } from "node:vm";

const dist = resolve(import.meta.dirname, "../dist");
const bundle = join(dist, "ubuntu-ci.cjs");
const compiled = `${bundle}.compiled`;

/** Runs a command from the bundle in this process, and saves the code that V8 has compiled for it. */
function warm(args) {
  const script = new Script(readFileSync(bundle, "latin1"), {
    filename: bundle,
    ...(existsSync(compiled) && { cachedData: readFileSync(compiled) }),
  });
  process.argv.splice(1, Infinity, bundle, ...args);
  process.on("exit", () => {
    writeFileSync(compiled, script.createCachedData());
    chmodSync(compiled, 0o644);
  });
  script.runInThisContext()(createRequire(bundle), bundle, dirname(bundle));
}

/** Has better-sqlite3 require its native library by name, instead of searching a dozen folders for it. */
const nativeLibrary = {
  name: "native-library",
  setup({ onLoad, onResolve }) {
    const namespace = "native-library";
    onResolve({ filter: /^bindings$/ }, ({ path }) => ({ path, namespace }));
    onLoad({ filter: /./, namespace }, () => ({
      contents:
        'module.exports = () => require("better-sqlite3/build/Release/better_sqlite3.node");',
    }));
  },
};

async function makeBundle() {
  const { build } = await import("esbuild");
  await build({
    entryPoints: [join(dist, "cli/main.js")],
    outfile: bundle,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "cjs",
    // Native modules, one that would add a compiler to the bundle, and what few commands need.
    external: ["*.node", "cosmiconfig", "js-yaml", "nodemailer"],
    plugins: [nativeLibrary],
    supported: { "dynamic-import": false },
    define: { "import.meta.dirname": "__dirname" },
    // Node reads and hashes all of it at every start. What is ASCII takes V8 half the memory and time.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: "none",
    charset: "ascii",
    // A function of the variables that Node gives to a CommonJS module.
    banner: { js: "(function (require, __filename, __dirname) {" },
    footer: { js: "})" },
    logLevel: "warning",
  });
  rmSync(compiled, { force: true });
}

/** Makes the code cache by running short commands. */
async function precompile() {
  const { makeDatabase } = await import("../dist/lib/state/database.js");
  const folder = mkdtempSync(join(tmpdir(), "ubuntu-ci-warm-"));
  try {
    makeDatabase(join(folder, "state.sqlite")).close();
    // No command works on a state without an archive.
    mkdirSync(join(folder, "archive/.revisions/0/dists"), { recursive: true });
    writeFileSync(
      join(folder, "archive/.revisions/0/revision.json"),
      JSON.stringify({ revision: 0, publications: {} }),
    );
    symlinkSync(".revisions/0/dists", join(folder, "archive/dists"));
    // Neither the machine's configuration nor the caller's environment is used.
    writeFileSync(join(folder, "config.json"), "{}", { mode: 0o600 });
    for (const name of ["--help", "status", "land", "publish"]) {
      const { status, stderr } = spawnSync(
        process.execPath,
        [import.meta.filename, "warm", name, "--state-dir", folder],
        { encoding: "utf8", env: { PATH: process.env.PATH, HOME: folder } },
      );
      if (status !== 0)
        throw new Error(`${name} exited with ${status}: ${stderr}`);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const [task, ...args] = process.argv.slice(2);
if (task === "warm") warm(args);
else {
  if (task !== "precompile") await makeBundle();
  if (task !== "bundle") await precompile();
}
