/** Every kernel's source. Nothing in them comes from a job: shapes are numbers in buffers. */
import { ATTEND_ERROR_SHADER, ATTEND_SHADER, CHANNEL_SOFTMAX_ERROR_SHADER, CHANNEL_SOFTMAX_SHADER } from './attention.ts'
import { ERROR_SHADER, FORWARD_SHADER, NORM_SHADER, SOFTMAX_SHADER } from './elementwise.ts'
import { EPILOGUES, LARGEST, LINEAR, prelude, type DotPath } from './prelude.ts'
import { GRADIENT_SHADER, productShader } from './products.ts'
import { EXPONENTS_SHADER, INPUT_SHADER, NOISE_SHADER, QUANTISE_SHADER, UPDATE_SHADER } from './stepShaders.ts'

const BODIES = {
  noise: LINEAR + NOISE_SHADER,
  input: LINEAR + INPUT_SHADER,
  quantise: LINEAR + QUANTISE_SHADER,
  activation: LARGEST + EPILOGUES + productShader('activation'),
  error: LARGEST + EPILOGUES + productShader('error'),
  raw: productShader('raw'),
  forward: LINEAR + LARGEST + EPILOGUES + FORWARD_SHADER,
  combine: LINEAR + LARGEST + EPILOGUES + ERROR_SHADER,
  norm: NORM_SHADER,
  attend: LINEAR + LARGEST + EPILOGUES + ATTEND_SHADER,
  attendError: LINEAR + ATTEND_ERROR_SHADER,
  channelSoftmax: LINEAR + LARGEST + EPILOGUES + CHANNEL_SOFTMAX_SHADER,
  channelSoftmaxError: LINEAR + CHANNEL_SOFTMAX_ERROR_SHADER,
  softmax: SOFTMAX_SHADER,
  gradient: GRADIENT_SHADER,
  update: LARGEST + UPDATE_SHADER,
  exponents: EXPONENTS_SHADER
} as const

export type KernelName = keyof typeof BODIES
export const KERNEL_NAMES = Object.keys(BODIES) as readonly KernelName[]

export const shaderOf = (kernel: KernelName, dot: DotPath): string => prelude(dot) + BODIES[kernel]
