/**
 * Compiles src/compute/wasm/assembly to src/compute/wasm/kernels.wasm.ts (not in git).
 * scripts/ensure-wasm.mjs runs it when the sources have changed.
 */
import { renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import asc from 'assemblyscript/asc'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const folder = join(root, 'src', 'compute', 'wasm')

let binary: Uint8Array | undefined
const { error, stderr } = await asc.main([
  join(folder, 'assembly', 'kernels.ts'),
  '-O3', '--converge', '--noAssert', '--enable', 'simd', '--runtime', 'stub', '--importMemory',
  '--baseDir', root, '--outFile', 'kernels.wasm'
], {
  writeFile: (name, contents) => { if (name === 'kernels.wasm') binary = contents as Uint8Array }
})
process.stderr.write(stderr.toString())
if (error !== null || binary === undefined) throw error ?? new Error('the compiler wrote no module')

const target = join(folder, 'kernels.wasm.ts')
writeFileSync(`${target}.new`, `// Built from assembly/ by scripts/build-wasm.ts.
export const KERNELS_BASE64 = '${Buffer.from(binary).toString('base64')}'
`)
renameSync(`${target}.new`, target)
