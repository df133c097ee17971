// Run as another user: tries everything on each path of its standard input (NUL after each), and
// prints as JSON what succeeded. Nothing is asked of modes: only what the kernel lets one do counts.
import {
  chmodSync,
  closeSync,
  constants,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { connect } from "node:net";

const paths = readFileSync(0, "utf8").split("\0").filter(Boolean);
const can = (attempt) => {
  try {
    attempt();
    return true;
  } catch {
    return false;
  }
};
const withFile = (path, flags, use) => {
  const fd = openSync(path, flags | constants.O_NONBLOCK);
  try {
    use(fd);
  } finally {
    closeSync(fd);
  }
};
const connects = (path) =>
  new Promise((done) => {
    const socket = connect(path)
      .on("connect", () => done(true))
      .on("error", () => done(false));
    socket.on("close", () => socket.destroy());
  });

const { O_RDONLY, O_WRONLY, O_RDWR, O_APPEND } = constants;
const found = { user: process.getuid(), read: [], listed: [], changed: [] };
for (const path of paths) {
  if (can(() => readdirSync(path))) found.listed.push(path);
  else if (
    can(() =>
      withFile(path, O_RDONLY, (fd) => readSync(fd, Buffer.alloc(1), 0, 1, 0)),
    ) ||
    can(() => readlinkSync(path)) ||
    (await connects(path))
  )
    found.read.push(path);
  const changes = {
    write: () => withFile(path, O_WRONLY | O_APPEND, (fd) => writeSync(fd, "")),
    "read and write": () => withFile(path, O_RDWR, () => {}),
    truncate: () => truncateSync(path, 0),
    chmod: () => chmodSync(path, 0o777),
    touch: () => utimesSync(path, 1, 1),
    link: () => linkSync(path, `${path}.linked`),
    symlink: () => symlinkSync("/", `${path}/planted`),
    mkdir: () => mkdirSync(`${path}/planted`),
    create: () =>
      withFile(`${path}/planted`, O_WRONLY | constants.O_CREAT, () => {}),
    beside: () =>
      withFile(`${path}.planted`, O_WRONLY | constants.O_CREAT, () => {}),
    rename: () => renameSync(path, `${path}.moved`),
    remove: () => rmSync(path, { recursive: true }),
  };
  for (const [how, attempt] of Object.entries(changes))
    if (can(attempt)) found.changed.push(`${how} ${path}`);
}
process.stdout.write(JSON.stringify(found));
