/**
 * Pages for tests, benchmarks and the command line: a TypeScript entry built by vite as the app is,
 * served on loopback with the headers the app is served with, and opened in this machine's Chromium.
 */
import { readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, normalize, relative, resolve } from 'node:path'
import { chromium, type BrowserContext, type LaunchOptions } from '@playwright/test'
import { build } from 'vite'
import { chromiumPath } from '../../scripts/ensure-chromium.mjs'
import { sszInBrowser } from '../../scripts/sszInBrowser.ts'

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.wasm': 'application/wasm', '.json': 'application/json'
}

export interface TestPage {
  readonly url: string
  stop(): Promise<void>
}

/** Builds the folder's index.html and serves it. */
export async function serveTestPage (folder: string): Promise<TestPage> {
  const root = resolve(folder)
  const outDir = resolve('build', 'test-pages', relative(resolve('.'), root).replaceAll(/[\\/]/g, '-'))
  await rm(outDir, { recursive: true, force: true })
  await build({
    root,
    configFile: false,
    logLevel: 'warn',
    base: './',
    plugins: [sszInBrowser()],
    worker: { format: 'es', plugins: () => [sszInBrowser()] },
    build: { outDir, emptyOutDir: true, target: 'es2023', minify: false }
  })
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://x').pathname
    const file = normalize(join(outDir, path.endsWith('/') ? path + 'index.html' : path))
    const headers = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' }
    readFile(file.startsWith(outDir) ? file : '').then(
      body => { response.writeHead(200, { ...headers, 'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream' }).end(body) },
      () => { response.writeHead(404, headers).end() }
    )
  })
  await new Promise<void>(done => { server.listen(0, '127.0.0.1', done) })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    stop: () => new Promise(done => { server.close(() => { done() }); server.closeAllConnections() })
  }
}

/** Chromium's own Vulkan in software as the WebGPU adapter: the same on every machine. */
export const SOFTWARE_GPU: readonly string[] = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader']

const launchOptions = (args: readonly string[]): LaunchOptions => ({
  executablePath: chromiumPath(),
  headless: true,
  // Test machines are often containers: no user namespaces, a small /dev/shm.
  args: ['--no-sandbox', '--disable-dev-shm-usage', ...args]
})

/** A profile on disk, as a user has it: what is stored there outlives the browser. */
export function openProfile (folder: string, args: readonly string[] = []): Promise<BrowserContext> {
  return chromium.launchPersistentContext(folder, launchOptions(args))
}
