/** `npx tsx server/main.ts`: serves the page and lets tabs meet, until it is told to stop. */
import '../src/net/polyfill.ts'
import { readFile } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import { parseOptions, type ServerOptions } from './options.ts'
import { type RunningServer, startServer } from './server.ts'
import { StartError } from './startError.ts'
import { TRACKER_PATH } from './tracker.ts'

const say = (text: string): void => { process.stdout.write(`${text}\n`) }
const fail = (text: string): void => {
  process.stderr.write(`${text}\n`)
  process.exitCode = 1
}

function addresses (o: ServerOptions, port: number): string[] {
  if (o.publicUrl !== undefined) return [`  ${o.publicUrl.href}`]
  const lines = [`  http://${o.host === '0.0.0.0' || o.host === '127.0.0.1' ? 'localhost' : o.host.includes(':') ? `[${o.host}]` : o.host}:${port}/`]
  if (o.host !== '0.0.0.0') return lines
  const lan = Object.values(networkInterfaces()).flatMap(list => list ?? []).filter(a => a.family === 'IPv4' && !a.internal)
  for (const a of lan) lines.push(`  http://${a.address}:${port}/`)
  if (lan.length > 0) lines.push('  (localhost always works here; on other machines a browser allows the page what it needs', '  only over https: see docs/operate.md)')
  return lines
}

async function main (): Promise<void> {
  const parsed = parseOptions(process.argv.slice(2))
  if (!parsed.ok) {
    if (parsed.help) say(parsed.error)
    else fail(`${parsed.error}\ntry --help`)
    return
  }
  const { version } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
  let server: RunningServer
  try {
    server = await startServer(parsed.value, version)
  } catch (e) {
    if (!(e instanceof StartError)) throw e
    fail(e.message)
    return
  }
  // Before a word is said: who reads the address may ask it to stop at once.
  let stopping = false
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      // The second time is meant.
      if (stopping) process.exit(130)
      stopping = true
      say('stopping')
      server.stop().then(() => { process.exit(0) }, (e: unknown) => {
        fail(String(e))
        process.exit(1)
      })
    })
  }
  if (server.skipped.length > 0) say(`port ${server.skipped.join(', ')} is taken`)
  say(`Commonweight ${version} (${parsed.value.network}) is served at`)
  for (const line of addresses(parsed.value, server.port)) say(line)
  if (server.hybridPort !== undefined) say(`classic BitTorrent clients: TCP port ${server.hybridPort}, tracker ${TRACKER_PATH} at the address above`)
}

// Who read what is said here may go, as a pager does: a server that complained of it where it cannot be heard would do nothing else.
for (const out of [process.stdout, process.stderr]) out.on('error', () => {})
// A stray stream of one tab must not end the server for all.
process.on('unhandledRejection', e => { process.stderr.write(`unhandled: ${e instanceof Error ? e.stack : String(e)}\n`) })
process.on('uncaughtException', e => { process.stderr.write(`uncaught: ${e.stack ?? e.message}\n`) })

await main().catch((e: unknown) => { fail(e instanceof Error ? e.stack ?? e.message : String(e)) })
