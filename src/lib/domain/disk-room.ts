import { advice, remedy } from "./remedy.ts";
import { sizeInWords } from "./size.ts";

/** The room on a disk, beside what is to stay free. */
export interface DiskRoom {
  /** A folder on it. */
  readonly disk: string;
  /** Bytes. */
  readonly free: number;
  readonly reserve: number;
}

export function noRoomInWords({ disk, free, reserve }: DiskRoom): string {
  return `${sizeInWords(free)} are free on the disk of ${disk}, less than the reserve of ${sizeInWords(reserve)} (limits.diskReserveMiB)`;
}

export const expireMakesRoom = advice`make room: ${remedy("expire")} removes what the settings give up`;
