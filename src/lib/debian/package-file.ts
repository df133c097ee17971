/** File names of binary packages, including installer packages and debug symbols. */
export const binaryFile = /\.[ud]?deb$/;

/** File names that an archive is filled from: binary packages, and the .dsc of a source package. */
export const packageFile = /\.(?:dsc|[ud]?deb)$/;
