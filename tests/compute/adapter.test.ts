import { expect, test } from 'vitest'
import { openGpu } from '../../src/compute/webgpu/gpu.ts'

/** What a browser answers, one after the other. */
function answering (answers: readonly ('none' | 'an adapter')[]): { readonly gpu: GPU, readonly asked: () => number } {
  let asked = 0
  const adapter = { info: { vendor: 'v', architecture: '', device: '', description: '', isFallbackAdapter: false }, limits: {}, requestDevice: async () => { throw new Error('far enough') } }
  return { gpu: { requestAdapter: async () => answers[asked++] === 'an adapter' ? adapter : null } as unknown as GPU, asked: () => asked }
}

test('a browser that has no adapter at first is asked again', async () => {
  await expect(openGpu(answering(['none', 'an adapter']).gpu)).rejects.toThrow('far enough')
})

test('but not for ever', async () => {
  const { gpu, asked } = answering([])
  await expect(openGpu(gpu)).rejects.toThrow('no adapter')
  expect(asked()).toBe(3)
})
