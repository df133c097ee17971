import type { Outcome } from "../../domain/ticket.ts";
import type { AptRepository } from "../apt-repository.ts";
import type { ProducedFile, RunContext } from "../run-context.ts";

/** What kind of image file; `qcow2` comes with bootable images. */
export type ImageType = "rootfs" | "qcow2";

export interface ImageRequest {
  readonly ticket: number;
  readonly series: string;
  /** Layer name of another base to start from, or null for the series' own. */
  readonly baseImage: string | null;
  /** Binary packages to install and to remove, by name. */
  readonly add: readonly string[];
  readonly remove: readonly string[];
  /** The ticket's PPA first, then the archive. */
  readonly repositories: readonly AptRepository[];
  readonly types: readonly ImageType[];
}

/** A package in an image; from is a repository's name, or the distribution's for all others. */
export interface ManifestEntry {
  readonly package: string;
  readonly version: string;
  readonly architecture: string;
  readonly from: string;
}

export interface Image {
  /** Names of its layers, the topmost first, the base last. */
  readonly layers: readonly string[];
  /** `sha256:HEX` of the exported tarball. */
  readonly digest: string;
  readonly manifest: readonly ManifestEntry[];
}

export interface ImageResult {
  readonly outcome: Outcome;
  readonly reason: string | null;
  readonly image: Image | null;
  /** The image files, `NAME.rootfs.tar.zst` for rootfs, and the manifest `NAME.manifest.json`. */
  readonly files: readonly ProducedFile[];
  readonly log: ProducedFile | null;
  readonly base: string | null;
  readonly stages: Readonly<Record<string, number>>;
}

/** Makes a system image that holds a ticket's packages. */
export interface Imager {
  readonly name: "session" | "fake";
  buildImage(request: ImageRequest, work: RunContext): Promise<ImageResult>;
}
