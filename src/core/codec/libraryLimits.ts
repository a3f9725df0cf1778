/** What the settings of the library may be. Apart from the node, for forms that say so in units of their own. */

/** Bytes kept. */
export const BUDGET_MIN = 16 * 1024 ** 2
export const BUDGET_MAX = 1024 ** 4
/** Bytes a second, each way; 0 is no limit. */
export const LIMIT_MAX = 1024 ** 3
/** Grains an epoch: a thousand credits. */
export const SET_ASIDE_MAX = 1_000_000_000
