/** What is used of js-yaml, which comes without types. */
declare module "js-yaml" {
  /** The state of the loader when a node begins or has ended; lines count from 0. */
  interface LoaderState {
    readonly line: number;
    readonly kind: string | null;
    readonly result: unknown;
  }
  export class YAMLException extends Error {
    readonly reason: string;
    readonly mark?: { readonly line: number };
  }
  export const CORE_SCHEMA: unknown;
  export function load(
    text: string,
    options: {
      readonly schema: unknown;
      readonly listener: (what: "open" | "close", state: LoaderState) => void;
    },
  ): unknown;
}
