// Runs a script in a session, for a test that kills it: LAYER SCRATCH SCRIPT [print].
// Node 20 runs no TypeScript: this is the built program.
const { openSession } = await import(
  new URL("../dist/lib/session/open-session.js", import.meta.url)
);

const [layer, scratch, script, print] = process.argv.slice(2);
const session = await openSession({ layers: [layer], scratch });
const { stdout, stderr } = await session.run(["sh", "-c", script]);
if (print !== undefined) process.stdout.write(stdout + stderr);
await session.close();
