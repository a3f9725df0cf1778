/** Starting children: inherited output, signals passed on, and how they ended as a value. */
import { spawn } from 'node:child_process'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP']

/**
 * npm runs a script through a shell, and a signal sent to npm ends that shell but not what it runs.
 * So a program that npm started ends when its parent does. The returned function stops watching.
 */
function endWithShell (end) {
  if (process.env.npm_lifecycle_event === undefined) return () => {}
  const shell = process.ppid
  const timer = setInterval(() => { if (process.ppid !== shell) end() }, 500)
  return () => { clearInterval(timer) }
}

/**
 * Runs a program to its end and gives its exit code (128 + n for signal n, as shells do).
 * options: cwd, env, stdio (default: all inherited), timeoutMs.
 */
export function runProgram (command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: options.stdio ?? 'inherit',
      shell: options.shell ?? false
    })
    // A terminal sends Ctrl-C to the whole group; a supervisor's signal reaches this process alone.
    const forward = signal => { child.kill(signal) }
    for (const signal of SIGNALS) process.on(signal, forward)
    const unwatch = endWithShell(() => { child.kill('SIGTERM') })
    const timer = options.timeoutMs === undefined ? undefined : setTimeout(() => { child.kill('SIGKILL') }, options.timeoutMs)
    const settle = () => {
      clearTimeout(timer)
      unwatch()
      for (const signal of SIGNALS) process.off(signal, forward)
    }
    child.on('error', error => { settle(); reject(error) })
    child.on('exit', (code, signal) => {
      settle()
      resolve(code ?? 128 + ({ SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 }[signal] ?? 0))
    })
  })
}

/** The same for a TypeScript entry or a package's JavaScript, by the Node that runs this. */
export const runNode = (args, options) => runProgram(process.execPath, args, options)

/** Words of preparation go to stderr: stdout belongs to the program that was asked for. */
export const say = text => { process.stderr.write(`commonweight: ${text}\n`) }

/** Runs `main`, prints a failure as words, and leaves the exit code; never cuts off pending output. */
export async function runMain (main) {
  try {
    const code = await main()
    process.exitCode = typeof code === 'number' ? code : 0
  } catch (error) {
    say(error instanceof Failure ? error.message : String(error?.stack ?? error))
    process.exitCode = 1
  }
}

/** A failure that a person can act on: its message says what to do, and needs no stack. */
export class Failure extends Error {}
