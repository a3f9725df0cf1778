/** The bootstrap server as a child process, for runs that kill it and bring it back. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

export interface ServerProcess {
  readonly url: string
  /** Ends it without a goodbye, as a power cut would. */
  kill(): Promise<void>
  /** Starts it again on the same port with the same key. */
  restart(): Promise<void>
}

export async function freePort(): Promise<number> {
  const probe = createServer()
  probe.listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

export interface ServerOptions {
  readonly network: 'main' | 'test'
  /** Where the server keeps its key; a restart finds it there. */
  readonly dataDir: string
  /** Beside those that every run needs. */
  readonly flags?: readonly string[]
}

export async function startServer(options: ServerOptions): Promise<ServerProcess> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}/`
  let child: ChildProcess | undefined
  let output = ''

  const start = async (): Promise<void> => {
    output = ''
    const c = spawn(process.execPath, ['--import', 'tsx', 'server/main.ts', '--port', String(port), '--host', '127.0.0.1', '--network', options.network, '--data-dir', options.dataDir, ...options.flags ?? []], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] })
    child = c
    const keep = (b: Buffer): void => { output = (output + b.toString()).slice(-4000) }
    c.stdout?.on('data', keep)
    c.stderr?.on('data', keep)
    const deadline = Date.now() + 30_000
    while (Date.now() < deadline) {
      if (c.exitCode !== null) throw new Error(`the server ended with ${c.exitCode}:\n${output}`)
      const healthy = await fetch(`${url}health`, { signal: AbortSignal.timeout(1000) }).then((r) => r.ok, () => false)
      if (healthy) return
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    throw new Error(`the server did not answer within 30 s:\n${output}`)
  }

  const kill = async (): Promise<void> => {
    const c = child
    child = undefined
    if (c === undefined || c.exitCode !== null) return
    const gone = once(c, 'exit')
    c.kill('SIGKILL')
    await gone
  }

  await start()
  return { url, kill, restart: start }
}
