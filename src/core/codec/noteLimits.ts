/** What fits into the note of a set (library.ts): bytes of UTF-8, and infohashes. Apart from it, for forms that need no codec. */
export const MAX_NOTE_NAME_BYTES = 200
export const MAX_NOTE_LICENCE_BYTES = 64
export const MAX_NOTE_ABOUT_BYTES = 512
export const MAX_NOTE_PARENTS = 16
