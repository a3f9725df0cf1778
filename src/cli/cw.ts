/** `npm run -s cw -- <command>`: the engine from a terminal. */
import { trainCommand } from './trainCommand.ts'

const USAGE = `npm run -s cw -- <command> [options]

  train JOB.json   train a job file with one worker, by the network's rules (cw train --help)
`

const [command, ...args] = process.argv.slice(2)
if (command === 'train') process.exitCode = await trainCommand(args)
else if (command === undefined || command === '--help' || command === 'help') process.stdout.write(USAGE)
else {
  process.stderr.write(`unknown command "${command}"\n\n${USAGE}`)
  process.exitCode = 2
}
