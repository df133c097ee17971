// Publishes, or fills a PPA, and is killed at a point or after some milliseconds:
// STATE POINT|MILLISECONDS REQUEST.
// Node 20 runs no TypeScript: this is the built program.
const built = (path) => import(new URL(`../dist/lib/${path}`, import.meta.url));
const { aptlyKeeper } = await built("backends/archive/aptly.js");
const { statePaths } = await built("host/paths.js");

const [root, point, request] = process.argv.slice(2);
const end = () => process.kill(process.pid, "SIGKILL");
if (/^[0-9]+$/.test(point)) setTimeout(end, Number(point));
const keeper = aptlyKeeper(statePaths(root), {
  origin: "test",
  onPoint: (reached) => {
    if (reached === point) end();
  },
});
const wanted = JSON.parse(request);
if (wanted.ppa === undefined) await keeper.publish(wanted);
else {
  await keeper.resetPpa(wanted.ppa, "bookworm");
  await keeper.addToPpa(wanted.ppa, "bookworm", wanted.files);
}
