import { messageOf, UbuntuCiError } from "../../domain/error.ts";
import type { Advice } from "../../domain/remedy.ts";

/** One thing that was looked at; remedy says what to do when it is not right. */
export interface Diagnosis {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  readonly remedy: Advice | null;
}

/** It is as it should be. */
export function ok(name: string, detail: string): Diagnosis {
  return { name, ok: true, detail, remedy: null };
}

/** It is not, and this is what to do. */
export function bad(name: string, detail: string, remedy: Advice): Diagnosis {
  return { name, ok: false, detail, remedy };
}

/** It could not even be looked at. */
export function badBecause(
  name: string,
  thrown: unknown,
  remedy: Advice,
): Diagnosis {
  return bad(
    name,
    messageOf(thrown),
    (thrown instanceof UbuntuCiError ? thrown.hint : undefined) ?? remedy,
  );
}
