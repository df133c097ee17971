// Publishes, fills a PPA, or calls one method of an archive, and is killed after some milliseconds, if
// any: STATE MILLISECONDS REQUEST.
// Node 20 runs no TypeScript: this is the built program.
const built = (path) => import(new URL(`../dist/lib/${path}`, import.meta.url));
const { aptlyArchive } = await built("backends/archive/aptly.js");
const { aptlyPool } = await built("backends/pool/aptly.js");
const { statePaths } = await built("host/paths.js");

const [root, delay, request] = process.argv.slice(2);
if (delay !== "")
  setTimeout(() => process.kill(process.pid, "SIGKILL"), Number(delay));
const wanted = JSON.parse(request);
const archive = aptlyArchive(statePaths(root), "test");
if (wanted.call !== undefined) await archive[wanted.call](...wanted.args);
else if (wanted.files === undefined) {
  await archive.publish(wanted.from, wanted.what, wanted.ticket);
} else {
  const pool = aptlyPool(statePaths(root), "test");
  await pool.reset(wanted.ppa, "bookworm");
  await pool.add(wanted.ppa, "bookworm", wanted.files);
}
