/**
 * What many nodes would work out alike. A value that is a pure function of others, which never change in
 * place, is asked for by name; a node by itself makes it, and where many share a process it may be the
 * one that another has made. What a block is judged by is not asked here: that is the rules (BlockRules).
 */

/** `what` of `from`: both name it, the members of `from` by identity. */
export type Once = <T>(what: string, from: readonly [object, ...unknown[]], make: () => T) => T

export const eachTime: Once = (_what, _from, make) => make()
