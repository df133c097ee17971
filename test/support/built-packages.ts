import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const quiet: { stdio: "pipe" } = { stdio: "pipe" };

const control = (fields: Record<string, string>) =>
  Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}\n`)
    .join("");

/** Builds tiny packages in a folder, without a session: source NAME with binaries NAME, NAME-data (all), NAME-dbgsym and a .udeb. */
export function builtPackages(
  made: string,
  name: string,
  version: string,
  text = version,
) {
  const work = join(made, `${name}_${version}_${text}`.replaceAll(":", "+"));
  const plain = version.replace(/^[0-9]+:/, "");
  const tree = join(work, "tree");
  const binaries = [
    { binary: name, architecture: "amd64", kind: "deb" },
    { binary: `${name}-data`, architecture: "all", kind: "deb" },
    { binary: `${name}-dbgsym`, architecture: "amd64", kind: "ddeb" },
    { binary: `${name}-installer`, architecture: "amd64", kind: "udeb" },
  ].map(({ binary, architecture, kind }) => {
    const root = join(work, binary);
    const file = join(work, `${binary}_${plain}_${architecture}.${kind}`);
    if (existsSync(file)) return file;
    mkdirSync(join(root, "DEBIAN"), { recursive: true });
    mkdirSync(join(root, "usr/share", binary), { recursive: true });
    writeFileSync(join(root, "usr/share", binary, "text"), text);
    writeFileSync(
      join(root, "DEBIAN/control"),
      control({
        Package: binary,
        Source: name,
        Version: version,
        Architecture: architecture,
        Maintainer: "A Developer <dev@example.com>",
        Description: "tiny",
      }),
    );
    const deb = ["--root-owner-group", "-Znone", "-b", root, file];
    execFileSync("dpkg-deb", deb, quiet);
    return file;
  });
  const dsc = join(work, `${name}_${plain}.dsc`);
  if (!existsSync(dsc)) {
    mkdirSync(join(tree, "debian/source"), { recursive: true });
    writeFileSync(join(tree, "debian/source/format"), "3.0 (native)\n");
    writeFileSync(join(tree, "text"), text);
    writeFileSync(join(tree, "debian/rules"), "#!/usr/bin/make -f\n");
    writeFileSync(
      join(tree, "debian/control"),
      `${control({ Source: name, Maintainer: "A Developer <dev@example.com>" })}\n${control({ Package: name, Architecture: "any", Description: "tiny" })}`,
    );
    writeFileSync(
      join(tree, "debian/changelog"),
      `${name} (${version}) bookworm; urgency=low\n\n  * ${text}\n\n -- A Developer <dev@example.com>  Thu, 01 Jan 2026 00:00:00 +0000\n`,
    );
    execFileSync("dpkg-source", ["-b", "tree"], { ...quiet, cwd: work });
  }
  return { source: { name, version, dsc }, binaries };
}

/** A source package and its binaries, ready to be published. */
export type Built = ReturnType<typeof builtPackages>;
