/** The parts of an architecture's name, as dpkg-architecture(1) counts them: ABI, C library, kernel, CPU. */
type Tuple = readonly [abi: string, libc: string, os: string, cpu: string];

/** Architectures whose CPU is not their name, or whose ABI is not the CPU's usual one (dpkg's tupletable). */
const unusual: Readonly<Record<string, Tuple>> = {
  armel: ["eabi", "gnu", "linux", "arm"],
  armhf: ["eabihf", "gnu", "linux", "arm"],
  x32: ["x32", "gnu", "linux", "amd64"],
};

const tupleOf = (architecture: string): Tuple =>
  unusual[architecture] ?? ["base", "gnu", "linux", architecture];

/**
 * Whether an architecture is one that a name or a wildcard stands for (`amd64`, `any`, `linux-any`,
 * `any-i386`).
 *
 * @param architecture a Debian architecture with a Linux kernel
 */
export function isArchitecture(architecture: string, name: string): boolean {
  if (name === architecture || name === `linux-${architecture}`) return true;
  const parts = name.split("-");
  if (parts.length > 4 || !parts.includes("any")) return false;
  // What a wildcard leaves out on the left may be anything.
  const wanted = [...Array<string>(4 - parts.length).fill("any"), ...parts];
  return tupleOf(architecture).every(
    (part, index) => wanted[index] === "any" || wanted[index] === part,
  );
}

/** Whether anything of a source or binary package with that Architecture field is built on a machine. */
export function isBuiltOn(
  architecture: string,
  names: readonly string[],
): boolean {
  return names.some(
    (name) => name === "all" || isArchitecture(architecture, name),
  );
}
