import { defineConfig } from 'vite'
import solid from 'vite-plugin-solid'
import { sszInBrowser } from './scripts/sszInBrowser.ts'

/** The page. Everything it needs is bundled: nothing is fetched at build time or from a CDN later. */
export default defineConfig({
  plugins: [solid(), sszInBrowser()],
  build: {
    target: 'es2023',
    outDir: 'dist',
    // The node worker carries the kernels and the page carries libp2p: both are large on purpose.
    chunkSizeWarningLimit: 1500,
    rolldownOptions: {
      checks: { bundlerTimings: false },
      output: {
        // Three pieces that change at different speeds, so that an update re-fetches the small one.
        codeSplitting: {
          groups: [
            { name: 'mesh', test: /node_modules[\\/](@libp2p|libp2p|@multiformats|multiformats|@chainsafe[\\/](libp2p|is-ip|netmask)|it-|uint8|protons|@noble|interface-)/ },
            { name: 'view', test: /node_modules[\\/](solid-js|@kobalte|@corvu|uplot|uqr|comlink)/ }
          ]
        }
      }
    }
  },
  // The development server bundles packages before it serves them.
  optimizeDeps: { rolldownOptions: { plugins: [sszInBrowser()] } },
  worker: { format: 'es', plugins: () => [sszInBrowser()], rolldownOptions: { checks: { bundlerTimings: false } } }
})
