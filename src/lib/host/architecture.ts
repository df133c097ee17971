/** Debian's architecture names by Node's, where the two differ (dpkg-architecture(1)). */
const debianNames: Readonly<Record<string, string>> = {
  x64: "amd64",
  ia32: "i386",
  arm: "armhf",
  ppc64: "ppc64el",
};

/** The Debian architecture that this installation builds for: the one this program runs on. */
export function machineArchitecture(): string {
  return debianNames[process.arch] ?? process.arch;
}
