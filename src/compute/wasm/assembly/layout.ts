/**
 * Where things lie in memory: ../plan.ts writes these fields and the kernels read them, both from
 * this file, which is AssemblyScript and TypeScript at once. Every field is an i32.
 * Padded sizes: K to a multiple of 4, N and B to multiples of 8; what pads is zero and stays zero.
 */

// The plan.
export const LAYERS = 0
export const BATCH = 4
export const BATCH_PADDED = 8
/** A: input noise is uniform in [-A, A); 0 for none. */
export const AMPLITUDE = 12
export const LR20 = 16
/** T: steps done in this slice. */
export const STEPS = 20
/** u8 [steps, B, K] and [steps, B]. */
export const INPUTS = 24
export const LABELS = 28
/** 32 bytes. */
export const KEY = 32
/** Keystream of the words and of the bytes in use. */
export const NOISE_WORDS = 36
export const NOISE_BYTES = 40
/** i32, one panel of a weight gradient [K, 8], or a bias gradient [N]. */
export const GRADIENT = 44
/** u32[256]. */
export const EXP2 = 48
/** i16[B]: -1 for a sample, 0 for padding. */
export const BATCH_MASK = 52
/** i32 [classes, B]: logits, then probabilities, then their error. */
export const LOGITS = 56
/** i32 [classes, B] and u32 [B]: what evaluation reads (../../kernels.ts, Scores). */
export const DISTANCE = 60
export const SUM = 64
/** i16 [B/8][rows/2][8 samples][2 rows]: a layer's inputs, or its error. */
export const SAMPLE_PANELS = 68
/** i16 [N/8][B/2][8 units][2 samples]: a layer's error. */
export const UNIT_PANELS = 72

// The layers: one record each, behind the plan.
export const LAYER_TABLE = 128
export const LAYER_SIZE = 128
export const K = 0
export const N = 4
export const K_PADDED = 8
export const N_PADDED = 12
/** i32 [N/8][K][8]: values and moments. Between slices MEAN holds the values as canonical [N][K]. */
export const WEIGHTS = 16
export const WEIGHT_MEAN = 20
export const WEIGHT_SPREAD = 24
/** i32 [N]. */
export const BIASES = 28
export const BIAS_MEAN = 32
export const BIAS_SPREAD = 36
/** int8 weights as i16 [N/8][K/2][8 units][2 inputs], for the forward product. */
export const FORWARD_PANELS = 40
/** int8 weights as i16 [N/8][K][8 units], for the error product; none in layer 0. */
export const BACKWARD_PANELS = 44
/** i16 [K][B]: the layer's inputs. */
export const ACTIVATIONS = 48
/** i16 [N][B]: the error of the layer's outputs. */
export const ERRORS = 52
/** f of the layer's inputs: 7, then fo of the layer before. */
export const INPUT_EXPONENT = 56
/** fe of the layer's outputs. */
export const ERROR_EXPONENT = 60
/** fw of this step. */
export const WEIGHT_EXPONENT = 64
/** max|W|. */
export const LARGEST = 68
/** max(acc, 0) over the step; u32 max|D| over the step. */
export const ACTIVATION_STAT = 72
export const ERROR_STAT = 76
