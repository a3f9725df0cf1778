/** The built page: read once, named files only, so that no request ever touches another path. */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { extname, join, relative, sep } from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'

const MIME: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.mjs': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8',
  '.json': 'application/json', '.map': 'application/json', '.webmanifest': 'application/manifest+json', '.wasm': 'application/wasm', '.txt': 'text/plain; charset=utf-8',
  '.svg': 'image/svg+xml', '.png': 'image/png', '.jpg': 'image/jpeg', '.ico': 'image/x-icon', '.webp': 'image/webp', '.woff2': 'font/woff2'
}
const PACKED = new Set(['.html', '.js', '.mjs', '.css', '.json', '.webmanifest', '.wasm', '.svg', '.txt', '.map'])

/**
 * Scripts from here only, and no eval but WebAssembly's; sockets to any bootstrap; blob: for
 * workers and downloads the page makes itself. Inline style attributes come from the charts.
 */
const POLICY = [
  "default-src 'self'", "script-src 'self' 'wasm-unsafe-eval'", "worker-src 'self' blob:", "connect-src 'self' ws: wss:", "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:", "font-src 'self' data:", "object-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"
].join('; ')

interface StaticFile { readonly bytes: Buffer, readonly packed?: Buffer, readonly type: string, readonly tag: string, readonly immutable: boolean }

export type StaticFiles = ReadonlyMap<string, StaticFile>

export async function loadStaticFiles (dist: string): Promise<StaticFiles> {
  const files = new Map<string, StaticFile>()
  for (const entry of await readdir(dist, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const name = `/${relative(dist, path).split(sep).join('/')}`
    const bytes = await readFile(path)
    const extension = extname(entry.name).toLowerCase()
    const packed = PACKED.has(extension) && bytes.length > 1024 ? await promisify(gzip)(bytes) : undefined
    files.set(name, {
      bytes,
      packed,
      type: MIME[extension] ?? 'application/octet-stream',
      tag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`,
      // Vite puts a hash of the content into these names.
      immutable: name.startsWith('/assets/')
    })
  }
  return files
}

export function serveStatic (files: StaticFiles, path: string, request: IncomingMessage, response: ServerResponse): void {
  // A path that names no file and looks like none is a place inside the app.
  const file = files.get(path === '/' ? '/index.html' : path) ?? (extname(path) === '' ? files.get('/index.html') : undefined)
  if (file === undefined) {
    response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('not found\n')
    return
  }
  response.setHeader('content-type', file.type)
  response.setHeader('etag', file.tag)
  response.setHeader('cache-control', file.immutable ? 'public, max-age=31536000, immutable' : 'no-cache')
  response.setHeader('content-security-policy', POLICY)
  response.setHeader('vary', 'accept-encoding')
  if (request.headers['if-none-match'] === file.tag) {
    response.writeHead(304).end()
    return
  }
  const packed = /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? '')) ? file.packed : undefined
  if (packed !== undefined) response.setHeader('content-encoding', 'gzip')
  const body = packed ?? file.bytes
  response.writeHead(200, { 'content-length': body.length })
  response.end(request.method === 'HEAD' ? undefined : body)
}
