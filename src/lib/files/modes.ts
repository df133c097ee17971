/** The state folder itself: others may traverse it to reach what is public, but not list it. */
export const stateFolder = 0o711;

/** Modes of private folders and files. */
export const privateFolder = 0o700;
export const privateFile = 0o600;

/** Modes of what everybody may read: the archive, the PPAs, the report. */
export const publicFolder = 0o755;
export const publicFile = 0o644;
