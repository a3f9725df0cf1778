/**
 * Where things lie in memory: ../plan.ts writes these fields and the kernels read them, both from
 * this file, which is AssemblyScript and TypeScript at once. Every field is an i32, every address in
 * bytes.
 *
 * A tensor of a batch is [channels][row]: a row holds the B * P elements of a channel, sample by
 * sample, and is padded to a multiple of 8; channels are padded to a multiple of 8. What pads an
 * error is zero; what pads an activation is anything, for it only ever meets zeros.
 */

// The plan.
export const OPS = 0
/** B: samples in this batch. */
export const BATCH = 4
/** A: input noise is uniform in [-A, A); 0 for none. */
export const AMPLITUDE = 8
export const LR20 = 12
/** T: steps done in this slice. */
export const STEPS = 16
/** u8 [steps, B, features] and [steps, B]. */
export const INPUTS = 20
export const LABELS = 24
/** 32 bytes. */
export const KEY = 28
/** Keystream bytes in use. */
export const NOISE = 32
/** i32: gradients of a panel or of a group of units, or of the biases. */
export const GRADIENT = 36
/** u32[256]. */
export const EXP2 = 40
/** i32 [classes][row]: the last operation's sums; z, then e, then p, then the error of the logits; t. u32 [row]: S. */
export const LOGITS = 44
export const PROBABILITY = 48
export const DISTANCE = 52
export const SUM = 56
/** i16 [columns/8][rows/2][8 columns][2 rows]: the inputs of a product, or its error; one factor of a product of tensors. */
export const SAMPLE_PANELS = 60
/** i16 [units/8][columns/2][8 units][2 columns]: a product's error; the other factor of a product of tensors. */
export const UNIT_PANELS = 64
/** i16 [K][columns]: windows of a convolution, or a dense layer's inputs where P > 1. */
export const WINDOWS = 68
/** i32 [K][columns]: error sums of windows, or of a dense layer's inputs where P > 1; a sample's product; a softmax's powers. */
export const COLUMNS = 72
/** i32 [channels of a block][row]: the error sums of a tensor, what one reader adds, the trace of several. */
export const ERROR_SUMS = 76
export const ERROR_PART = 80
export const ERROR_TRACE = 84
/** i32 [row]: a norm's sums of squares and of products, its gain and its projection. */
export const NORM_SQUARES = 88
export const NORM_PRODUCTS = 92
export const NORM_GAIN = 96
export const NORM_PROJECTION = 100
/** i32 [row]: a softmax's sums over the channels. */
export const CHANNEL_SUMS = 104
/** Tables of records. */
export const TENSORS = 108
export const OP_TABLE = 112
export const PLAN_SIZE = 116

// A tensor; number 0 is the input.
export const TENSOR_SIZE = 128
export const CHANNELS = 0
export const HEIGHT = 4
export const WIDTH = 8
/** P = height * width. */
export const POSITIONS = 12
/** Elements from one channel to the next: B * P padded to 8, B being the plan's. */
export const ROW = 16
/** i16 [channels][row]. */
export const VALUES = 20
/** A bit per element, u8 [channels][row / 8]: whether ReLU let it through. 0 without ReLU. */
export const ALIVE = 24
/** i16 [channels][row]; none for the input. */
export const ERRORS = 28
/** f: 7 of the input, fo of others. */
export const EXPONENT = 32
/** fe. */
export const ERROR_EXPONENT = 36
/** fa and u32 max|seen| of this step. */
export const SUM_EXPONENT = 40
export const STAT = 44
/** d and u32 max|D| of this step. */
export const ERROR_SUM_EXPONENT = 48
export const ERROR_STAT = 52
/** Channels whose error is made at once. */
export const BLOCK = 56
/** How many operations read it, and up to four of them. */
export const READERS = 60
export const READER = 64

// An operation.
export const OP_SIZE = 128
export const KIND = 0
/** Tensors read and written. */
export const A = 4
export const B = 8
export const OUT = 12
export const RELU = 16
export const KERNEL = 20
export const STRIDE = 24
export const PADDING = 28
export const GROUPS = 32
/** Inputs of a unit and units; K padded to a multiple of 4, N to one of 8. 0 without weights. */
export const K = 36
export const N = 40
export const K_PADDED = 44
export const N_PADDED = 48
/**
 * 1: a convolution whose groups have few units. Its weights lie as canonical [N][K], its int8
 * weights as i16 [N][K padded to 2] in FORWARD_PANELS. Others have the panels named below.
 */
export const SPARSE = 52
/** Columns of a convolution that are worked on at once, a multiple of 8. */
export const TILE = 56
/** i32 [N/8][K][8]: values and moments. Between slices MEAN holds the values as canonical [N][K]. */
export const WEIGHTS = 60
export const WEIGHT_MEAN = 64
export const WEIGHT_SPREAD = 68
/** i32 [N]. */
export const BIASES = 72
export const BIAS_MEAN = 76
export const BIAS_SPREAD = 80
/** int8 weights as i16 [N/8][K/2][8 units][2 inputs], for the forward product. */
export const FORWARD_PANELS = 84
/** int8 weights as i16 [N/8][K][8 units], for the error product; none where the input is tensor 0. */
export const BACKWARD_PANELS = 88
/** fw of this step. */
export const WEIGHT_EXPONENT = 92
/** max|W|. */
export const LARGEST = 96
/** The operation's number: part of the tags of its noise. */
export const INDEX = 100

// Kinds of operations (core/codec/jobSpec.ts).
export const DENSE = 0
export const CONVOLUTION = 1
export const MAX_POOL = 2
export const AVERAGE_POOL = 3
export const ADD = 4
export const NORM = 5
export const SCORES = 6
export const SOFTMAX = 7
export const APPLY = 8
