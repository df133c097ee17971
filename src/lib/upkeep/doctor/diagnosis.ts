import { messageOf, UbuntuCiError } from "../../domain/error.ts";
import type { Advice } from "../../domain/remedy.ts";

/** The result of one examination; remedy says what to do about a bad one. */
export interface Diagnosis {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  readonly remedy: Advice | null;
}

export function ok(name: string, detail: string): Diagnosis {
  return { name, ok: true, detail, remedy: null };
}

export function bad(name: string, detail: string, remedy: Advice): Diagnosis {
  return { name, ok: false, detail, remedy };
}

/** For an examination that failed itself. */
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
