/** A device with the kernels on it, and what can go wrong with one, by name. */
import { DeviceLost } from '../kernels.ts'
import { KERNEL_NAMES, type KernelName, shaderOf } from './shaders.ts'
import type { DotPath } from './prelude.ts'

/** Values of GPUBufferUsage, GPUMapMode and GPUShaderStage, which only browsers have as names. */
export const MAP_READ = 1
export const COPY_SRC = 4
export const COPY_DST = 8
export const UNIFORM = 64
export const STORAGE = 128
export const MODE_READ = 1
const STAGE_COMPUTE = 4

/** A device that does not answer for so long is as good as lost, ms: a GPU, and a program, which has the CPU's other work beside it. */
const SILENCE_MS = 30_000
const SOFTWARE_SILENCE_MS = 180_000
/** Compiling takes its time. */
const OPENING_MS = 180_000
const STORAGE_BUFFERS = 5
const DOT_FEATURE = 'packed_4x8_integer_dot_product'

const ASKED_MAX = 3
const ASK_AGAIN_MS = 300

export interface GpuOptions {
  /** Products of four bytes at once if the device has them, or always the plain ones. */
  readonly dot?: DotPath
  /** Whether an adapter that is a program will do: only for tests, or when the user asks for it. */
  readonly software?: boolean
}

export interface Gpu {
  readonly device: GPUDevice
  readonly adapter: string
  readonly dot: DotPath
  readonly layout: GPUBindGroupLayout
  readonly pipelines: Readonly<Record<KernelName, GPUComputePipeline>>
  /** Why the device is lost. */
  lost (): string | undefined
  /** The promise's value, unless the device is lost before or does not answer in time. */
  answered<T> (promise: Promise<T>, withinMs?: number): Promise<T>
}

const describe = ({ vendor, architecture, device, description }: GPUAdapterInfo): string =>
  [vendor, architecture, device, description].filter(word => word !== '').join(' ') || 'unnamed adapter'

/** A browser may say that there is none while its process for the GPU starts, or starts again. */
export async function requestAdapter (gpu: GPU): Promise<GPUAdapter | null> {
  for (let asked = 1; ; asked++) {
    const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' })
    if (adapter !== null || asked === ASKED_MAX) return adapter
    await new Promise(resolve => { setTimeout(resolve, ASK_AGAIN_MS) })
  }
}

export async function openGpu (gpu: GPU | undefined, { dot, software = true }: GpuOptions = {}): Promise<Gpu> {
  if (gpu === undefined) throw new Error('this browser has no WebGPU')
  const adapter = await requestAdapter(gpu)
  if (adapter === null) throw new Error('no adapter')
  if (adapter.info.isFallbackAdapter && !software) throw new Error(`${describe(adapter.info)} is a program, not a GPU`)
  const { limits } = adapter
  const device = await adapter.requestDevice({
    requiredLimits: { maxBufferSize: limits.maxBufferSize, maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize }
  })
  let lost: string | undefined
  const gone = new Promise<never>((_, reject) => {
    void device.lost.then(({ reason, message }) => {
      lost = `device lost (${reason}): ${message}`
      reject(new DeviceLost(lost))
    })
  })
  gone.catch(() => {})
  const silenceMs = adapter.info.isFallbackAdapter ? SOFTWARE_SILENCE_MS : SILENCE_MS
  const answered = async <T>(promise: Promise<T>, withinMs = silenceMs): Promise<T> => {
    let timer: ReturnType<typeof setTimeout> | undefined
    const silence = new Promise<never>((_, reject) => {
      timer = setTimeout(() => { reject(new DeviceLost(`the device did not answer for ${withinMs / 1000} s`)) }, withinMs)
    })
    try {
      return await Promise.race([promise, gone, silence])
    } catch (error) {
      if (lost !== undefined && !(error instanceof DeviceLost)) throw new DeviceLost(lost)
      throw error
    } finally {
      clearTimeout(timer)
    }
  }
  const layout = device.createBindGroupLayout({
    entries: [
      { binding: 0, visibility: STAGE_COMPUTE, buffer: { type: 'uniform', hasDynamicOffset: true } },
      ...Array.from({ length: STORAGE_BUFFERS }, (_, i) => ({
        binding: i + 1, visibility: STAGE_COMPUTE, buffer: { type: i === STORAGE_BUFFERS - 1 ? 'read-only-storage' as const : 'storage' as const }
      }))
    ]
  })
  const path = dot ?? (gpu.wgslLanguageFeatures?.has(DOT_FEATURE) ? 'packed' : 'plain')
  const pipelineLayout = device.createPipelineLayout({ bindGroupLayouts: [layout] })
  const compiled = await answered(Promise.all(KERNEL_NAMES.map(async name => {
    const module = device.createShaderModule({ code: shaderOf(name, path), label: name })
    const pipeline = await device.createComputePipelineAsync({ layout: pipelineLayout, compute: { module, entryPoint: 'main' }, label: name })
    return [name, pipeline] as const
  })), OPENING_MS)
  const pipelines = Object.fromEntries(compiled) as Record<KernelName, GPUComputePipeline>
  return { device, adapter: describe(adapter.info), dot: path, layout, pipelines, lost: () => lost, answered }
}
