/**
 * How forks, propagation and traffic go with the number of nodes: the same quiet world, larger and
 * larger. Where every node hears of a block from few others, all three grow like log N at most.
 */
import { Observer } from './observer.ts'
import type { SweepReport, WorldReport } from './report/types.ts'
import { World, type WorldOptions } from './world.ts'

export const FORK_SIZES = [20, 50, 100, 200] as const

export interface SweepOptions {
  readonly seed: string
  readonly sizes?: readonly number[]
  /** Virtual ms for each size. */
  readonly virtualMs?: number
  readonly command?: string
  readonly onPoint?: (point: WorldReport) => void
}

/** Calm: nobody cheats, closes or loses anything; forks are those of propagation alone. */
export async function forksSweep (o: SweepOptions): Promise<SweepReport> {
  const { onPoint, seed, sizes = FORK_SIZES, virtualMs = 30 * 60_000 } = o
  const command = o.command ?? `npm run sim -- --scenario forks --seed ${seed}`
  const points: WorldReport[] = []
  for (const nodes of sizes) {
    const options: WorldOptions = { seed: `${seed}/${nodes}`, nodes, compute: 'stand-in', laptopSliceMs: 250, warm: true }
    const begun = performance.now()
    const world = new World(options)
    const observer = new Observer(world, 5_000)
    world.openAll(10_000)
    await world.run(virtualMs)
    const point = observer.report({ command, scenario: 'forks', wallMs: performance.now() - begun })
    points.push(point)
    onPoint?.(point)
  }
  return { kind: 'sweep', command, scenario: 'forks', points }
}
