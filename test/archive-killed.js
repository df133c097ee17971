// Publishes, or fills a PPA, and is killed at a point or after some milliseconds:
// STATE POINT|MILLISECONDS REQUEST.
// Node 20 runs no TypeScript: this is the built program.
const built = (path) => import(new URL(`../dist/lib/${path}`, import.meta.url));
const { aptlyArchive } = await built("backends/archive/aptly.js");
const { aptlyPool } = await built("backends/pool/aptly.js");
const { statePaths } = await built("host/paths.js");

const [root, point, request] = process.argv.slice(2);
const end = () => process.kill(process.pid, "SIGKILL");
if (/^[0-9]+$/.test(point)) setTimeout(end, Number(point));
const wanted = JSON.parse(request);
if (wanted.files === undefined) {
  const archive = aptlyArchive(statePaths(root), {
    origin: "test",
    onPoint: (reached) => {
      if (reached === point) end();
    },
  });
  await archive.publish(wanted.from, wanted.what, wanted.ticket);
} else {
  const pool = aptlyPool(statePaths(root), "test");
  await pool.reset(wanted.ppa, "bookworm");
  await pool.add(wanted.ppa, "bookworm", wanted.files);
}
