/** What a layer is for: a base (of a series), kept build dependencies, an image's delta. */
export type LayerKind = "base" | "build-deps" | "image";

/**
 * A kept, read-only folder of files with a digest, in STATE/layers/NAME (files in NAME/root,
 * this record in NAME/layer.json).
 */
export interface Layer {
  /** Folder name: `base-bookworm-0123456789ab`, `build-deps-…`, `image-ticket.7-…`. */
  readonly name: string;
  readonly kind: LayerKind;
  /** `sha256:HEX`; of a base its tarball, of build-deps its key, of an image its exported tarball. */
  readonly digest: string;
  /** Names of the layers below it, nearest first; empty for a base. */
  readonly below: readonly string[];
  readonly series: string;
  readonly architecture: string;
  readonly created_at: string;
  /** Absolute path of the folder with its files. */
  readonly root: string;
}

/** A base additionally keeps its tarball (for sbuild) and the sources it was made from. */
export interface Base extends Layer {
  readonly kind: "base";
  /** Absolute path of base.tar.zst beside root. */
  readonly tarball: string;
  /** deb822 text of the distribution's apt sources, as the sessions over this base use them. */
  readonly sources: string;
  /** The machine's own apt settings for reaching the mirror (proxy and such), as apt.conf text. */
  readonly acquire: string;
}

/** The contents of layer.json; paths follow from its location. */
export type LayerRecord = Omit<Layer, "root"> &
  Partial<Pick<Base, "sources" | "acquire">>;
