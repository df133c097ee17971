import { misconfigured } from "../domain/error.ts";
import type { TicketSystem } from "./ticket-system.ts";

/** A ticket system over HTTP. Speaking to one comes later; until then it says so. */
export function remoteTicketSystem(url: string): TicketSystem {
  const refuse = () =>
    Promise.reject(
      misconfigured(
        `remote ticket systems are not available yet (${url})`,
        "leave out --url and --staging to use the local state",
      ),
    );
  const refuseEach = () => ({
    [Symbol.asyncIterator]: () => ({ next: refuse }),
  });
  return {
    create: refuse,
    planCreate: refuse,
    planUpdate: refuse,
    update: refuse,
    list: refuseEach,
    get: refuse,
    explain: refuse,
    planCancel: refuse,
    cancel: refuse,
    awaitCancelled: refuse,
    planRetry: refuse,
    retry: refuse,
    planOverride: refuse,
    override: refuse,
    planUndo: refuse,
    undo: refuse,
    history: refuse,
    follow: refuseEach,
    landings: refuse,
    planQa: refuse,
    qa: refuse,
    explainLanding: refuse,
    fetchArtifact: refuse,
  };
}
