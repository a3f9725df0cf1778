/** The same models trained in floats by TensorFlow.js on WebGPU: what the exact kernels stand beside. */
import '@tensorflow/tfjs-backend-webgpu'
import { floatTrainer } from '../floats.ts'
import { BENCH_MODELS } from '../models.ts'
import type { Time } from './report.ts'

export async function floatTimes (budgetMs: number, say: (line: string) => void): Promise<Array<Omit<Time, 'gigaMacsPerSecond' | 'equal'>>> {
  const times: Array<Omit<Time, 'gigaMacsPerSecond' | 'equal'>> = []
  for (const { name, model, batch } of BENCH_MODELS) {
    const train = await floatTrainer('webgpu', model, batch)
    const all: number[] = []
    const end = performance.now() + budgetMs
    do {
      const at = performance.now()
      await train(1)
      all.push(performance.now() - at)
    } while (performance.now() < end)
    all.sort((a, b) => a - b)
    times.push({ model: name, backend: 'tfjs-webgpu', stepMs: all[all.length >> 1], bestStepMs: all[0] })
    say(`${name}, tfjs-webgpu: ${all[all.length >> 1].toFixed(3)} ms a step (best ${all[0].toFixed(3)})`)
  }
  return times
}
