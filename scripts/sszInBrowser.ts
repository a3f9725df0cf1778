/** Bundles @chainsafe/ssz for a browser: gives it the Buffer that it takes for granted. */
import { fileURLToPath } from 'node:url'
import type { Plugin } from 'vite'

const SHIM = fileURLToPath(new URL('../src/sszBuffer.ts', import.meta.url)).replaceAll('\\', '/')

export function sszInBrowser (): Plugin {
  return {
    name: 'commonweight:ssz-in-browser',
    transform: {
      filter: { id: /node_modules[\\/]@chainsafe[\\/]ssz[\\/]/, code: /\bBuffer\./ },
      handler: code => ({ code: `import { Buffer } from ${JSON.stringify(SHIM)};${code}`, map: null })
    }
  }
}
