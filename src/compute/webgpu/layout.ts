/**
 * What the host and the shaders agree on. Everything lives in a few large buffers, so that every
 * kernel has the same bindings and a dispatch changes one dynamic offset only.
 *
 *   op     uniform: the numbers of one dispatch (OP_FIELDS)
 *   bytes  int8 in words: tensors, errors, masks of what is alive, weights, noise, records, labels
 *   ints   i32: parameters and their moments, sums that a later kernel rounds, scores
 *   state  u32, atomic: the step, exponents, statistics (the S_ places)
 *   grads  i32, atomic: G of every parameter, in the order of the parameters
 *   table  u32: 2^-x, where kernels look up segments, taps and readers
 *
 * A tensor is [channels][columns], column n * P + p, as in the reference; but a row is filled up with
 * zeros to whole words, so that four neighbours of a row are always one word.
 */

/** Names of the uniform's u32s. Offsets into `bytes` are in words unless they say otherwise. */
export const OP_FIELDS = [
  // Place and extent of the result.
  'out', 'outWords', 'rows', 'cols', 'items', 'tileX',
  // What a product reads: rows of A packed along the sum, and the gathered tensor.
  'a', 'aWords', 'terms', 'taps', 'source', 'sourceSlot', 'groupSource', 'flat',
  'colHeight', 'colWidth', 'colMul', 'sourceDiv', 'sourceHeight', 'sourceWidth', 'sourcePlane',
  // Gradients.
  'splits', 'splitWords', 'grad', 'biasGrad', 'kernelTerms',
  // How sums become a tensor.
  'kind', 'relu', 'noisy', 'alive', 'noise', 'index', 'tensorA', 'tensorB', 'layer', 'windowBits', 'bias', 'hasBias',
  // Sums left as i32: addresses row / plane * rowStride + column * plane + row % plane.
  'rawPlane', 'rawStride',
  // Elementwise kernels.
  'b', 'bSlot', 'kernel', 'stride', 'width', 'rowBytes', 'plane', 'batch', 'size', 'norm', 'argmax',
  'table', 'count', 'slots', 'blocks', 'records', 'labels', 'moments', 'spreads', 'amplitude',
  'distances', 'sums', 'probabilities'
] as const

export type OpField = typeof OP_FIELDS[number]

/** Bytes from one dispatch's numbers to the next's: the alignment every device grants, twice. */
export const OP_STRIDE = 512

/** Places in `state`. F is the fractional bits of every tensor, FE of the errors of what operations write. */
export const S_STEP = 0
export const S_LR20 = 1
export const S_KEY = 8
export const S_F = 40
export const S_FE = 80
export const S_STAT = 120
export const S_ESTAT = 160
/** s of every layer: fw = 28 - s. */
export const S_SHIFT = 200
/** max|W| of the weights as they are updated. */
export const S_LARGEST = 240
export const S_SIZE = 280

/** Words of a reader's entry in `table` (plan.ts writes them, elementwise.ts reads them). */
export const READER = 16

/**
 * Products are computed in tiles of TILE x TILE results, TILE_WORDS words of the sum at a time: 64
 * threads fetch 4 words of each side. Not more, because SwiftShader writes out the zeros that a
 * workgroup's memory starts with one by one, and takes a second to compile 8 kB of them.
 */
export const TILE = 32
export const TILE_WORDS = 8

export const GROUP = 64
/** Parameters of one workgroup of the optimiser: a tensor's are filled up to whole groups. */
export const UPDATE_GROUP = 256
