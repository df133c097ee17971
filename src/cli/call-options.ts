import type { CallOptions } from "../lib/host/command-line.ts";
import { pathArgument } from "./arguments.ts";
import type { GlobalOptions } from "./context.ts";

/**
 * Options that make a suggested command address the same target as this one: the same ticket system, or
 * the same state folder and configuration.
 *
 * @param speaksToTickets whether the suggested verb works on tickets, wherever they are kept
 */
export function callOptionsOf(
  {
    url,
    staging,
    stateDir,
    config,
  }: Pick<GlobalOptions, "url" | "staging" | "stateDir" | "config">,
  speaksToTickets: (verb: string) => boolean,
): CallOptions {
  const elsewhere =
    url !== undefined ? ["--url", url] : staging === true ? ["--staging"] : [];
  const here = [
    ...(stateDir === undefined ? [] : ["--state-dir", pathArgument(stateDir)]),
    ...(config === undefined ? [] : ["--config", pathArgument(config)]),
  ];
  return (verb) => [...(speaksToTickets(verb) ? elsewhere : []), ...here];
}
