// Runs a builder or a tester, for a test that kills it: STATE session|sbuild|autopkgtest SCRATCH REQUEST.
// Node 20 runs no TypeScript: this is the built program.
const built = (path) => import(new URL(`../dist/lib/${path}`, import.meta.url));
const { statePaths } = await built("host/paths.js");

const [root, name, scratch, request] = process.argv.slice(2);
const options = {
  paths: statePaths(root),
  parallel: 2,
  timeoutMs: 600_000,
  reach: "internet",
  allow: [],
};
const work = {
  scratch,
  signal: new AbortController().signal,
  progress: ({ message }) => console.log(message),
  note: () => undefined,
};
const wanted = JSON.parse(request);
if (name === "autopkgtest") {
  const { createAutopkgtestTester } = await built(
    "backends/tester/autopkgtest.js",
  );
  await createAutopkgtestTester(options).test(wanted, work);
} else if (name === "sbuild") {
  const { createSbuildBuilder } = await built("backends/builder/sbuild.js");
  await createSbuildBuilder(options).build(wanted, work);
} else {
  const { createSessionBuilder } = await built("backends/builder/session.js");
  await createSessionBuilder(options).build(wanted, work);
}
