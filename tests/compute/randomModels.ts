/** Small models of every legal kind by number, to hold one backend against another. */
import { OP_ADD, OP_AVERAGE_POOL, OP_CONV, OP_DENSE, OP_MAX_POOL, OP_NORM, type Model, type Op } from '../../src/core/codec/jobSpec.ts'
import { graphErrors } from '../../src/core/training/graphRules.ts'
import { fmix32 } from '../../src/core/training/integers.ts'
import { opOf, outputShape, type TensorShape } from '../../src/core/training/shape.ts'
import { type GoldenInput } from '../../src/compute/golden.ts'

/** Integers in [0, n), from a seed alone. */
function dice (seed: number): (n: number) => number {
  let count = 0
  return n => fmix32(Math.imul(seed, 0x9e3779b1) + Math.imul(++count, 0x85ebca77)) % n
}

const same = (a: TensorShape, b: TensorShape): boolean => a.channels === b.channels && a.height === b.height && a.width === b.width

/** One operation that reads tensor `a`, or nothing when the dice make none that is legal. */
function randomOp (roll: (n: number) => number, a: number, tensors: readonly TensorShape[]): Op | undefined {
  const input = tensors[a]
  const relu = roll(2)
  const kernel = 1 + roll(Math.min(4, Math.max(input.height, input.width)))
  const stride = 1 + roll(3)
  switch (roll(8)) {
    case 0: return opOf({ kind: OP_DENSE, a, relu, units: 1 + roll(40) })
    case 1:
    case 2: {
      const groups = 1 + roll(input.channels)
      return opOf({ kind: OP_CONV, a, relu, units: groups * (1 + roll(roll(4) === 0 ? 20 : 4)), kernel, stride, padding: roll(kernel), groups })
    }
    case 3: return opOf({ kind: OP_CONV, a, relu, units: input.channels * (1 + roll(2)), kernel, stride: 1, padding: kernel >> 1, groups: roll(2) === 0 ? 1 : input.channels })
    case 4: return opOf({ kind: OP_MAX_POOL, a, kernel, stride })
    case 5: return opOf({ kind: OP_AVERAGE_POOL, a, kernel, stride })
    case 6: {
      const others = tensors.flatMap((other, t) => t !== a && same(other, input) ? [t] : [])
      return others.length === 0 ? undefined : opOf({ kind: OP_ADD, a, b: others[roll(others.length)], relu })
    }
    default: return opOf({ kind: OP_NORM, a, relu })
  }
}

function randomModel (roll: (n: number) => number, batch: number): Model {
  for (;;) {
    const flat = roll(4) === 0
    const channels = 1 + roll(flat ? 70 : 5)
    const height = flat ? 1 : 1 + roll(9)
    const width = flat ? 1 : 1 + roll(9)
    const tensors: TensorShape[] = [{ channels, height, width, size: channels * height * width }]
    const ops: Op[] = []
    const wanted = roll(7)
    for (let tries = 0; ops.length < wanted && tries < 40; tries++) {
      // Mostly the newest tensor, so that models are deep; sometimes an older one, for several readers.
      const a = roll(3) === 0 ? roll(tensors.length) : tensors.length - 1
      const op = randomOp(roll, a, tensors)
      if (op === undefined) continue
      const output = outputShape(op, tensors[a])
      if (output.size < 1 || output.size * batch > 6000) continue
      ops.push(op)
      tensors.push(output)
    }
    // What nothing reads yet is added where it fits, or ends the try.
    ops.push(opOf({ a: tensors.length - 1, units: 1 + roll(12) }))
    const model: Model = { channels, height, width, ops }
    if (graphErrors(model, batch).length === 0) return model
  }
}

/** A slice of a random model, of a few steps. */
export function randomSlice (seed: number): GoldenInput {
  const roll = dice(seed)
  const batch = [1, 2, 3, 4, 5, 8, 16, 17][roll(8)]
  const layers = randomModel(roll, batch)
  return {
    name: `random ${seed}`, layers, batch, steps: 1 + roll(5), seed: 1 + roll(250),
    inputNoise: [0, 1, 4, 16, 32][roll(5)], lr20: [1, 1049, 8000, 65535][roll(4)],
    state: (['initial', 'initial', 'initial', 'saturated', 'zero'] as const)[roll(5)], inputs: (['random', 'random', 'zero', 'full'] as const)[roll(4)]
  }
}
