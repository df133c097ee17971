// Runs a script in a session, for a test that kills it: LAYER SCRATCH SCRIPT.
// Node 20 runs no TypeScript: this is the built program.
const { openSession } = await import(
  new URL("../dist/lib/host/session/open-session.js", import.meta.url)
);

const [layer, scratch, script] = process.argv.slice(2);
const session = await openSession({ layers: [layer], scratch });
await session.run(["sh", "-c", script]);
await session.close();
