import type { AptRepository } from "../apt-repository.ts";
import type { LeftOut } from "./co-installable.ts";
import type { ProducedFile, RunContext, WorkResult } from "../run-context.ts";

/** Kinds of image files. `qcow2` is for bootable images, which no imager makes yet. */
type ImageType = "rootfs" | "qcow2";

export interface ImageRequest {
  readonly ticket: number;
  readonly series: string;
  /** Name of the layer of the base to start from; null for the newest base of the series. */
  readonly baseImage: string | null;
  /** Binary packages to install and to remove, by name. */
  readonly add: readonly string[];
  readonly remove: readonly string[];
  /** Leaves out of `add` what conflicts with others of it (co-installable.ts). Default: apt refuses them. */
  readonly leaveOutConflicts?: boolean;
  /** The ticket's PPA first, then the archive. */
  readonly repositories: readonly AptRepository[];
  readonly types: readonly ImageType[];
}

/** A package in an image. `from` names our repository that it came from, else the distribution. */
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

export interface ImageResult extends WorkResult {
  /** What was left out because of conflicts. */
  readonly leftOut?: readonly LeftOut[];
  readonly image: Image | null;
  /** The image files, `NAME.rootfs.tar.zst` for rootfs, and the manifest `NAME.manifest.json`. */
  readonly files: readonly ProducedFile[];
  /** Digest of the base it was made from. */
  readonly base: string | null;
}

/** Makes system images in which a ticket's packages are installed. */
export interface Imager {
  buildImage(request: ImageRequest, work: RunContext): Promise<ImageResult>;
}
