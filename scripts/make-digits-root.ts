/**
 * Prints the root of the built-in data set and the hashes of a few of its records: what BUILTIN_ROOT
 * in src/core/training/digits.ts and tests/vectors/training.json hold.
 */
import { toHex } from '../src/core/codec/ssz.ts'
import { builtinDataset, datasetLeaves, datasetRoot } from '../src/core/training/dataset.ts'

const leaves = datasetLeaves(builtinDataset())
console.log(`root ${toHex(datasetRoot(leaves))}`)
for (const i of [0, 1, 2, 11_999, 12_000, 13_999]) console.log(`record ${i} ${toHex(leaves[i])}`)
