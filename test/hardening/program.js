// The program in this process: what it prints is held against what may reach a terminal.
import { LayerpruneError } from '../../dist/base/errors.js'
import { WrongSuccess } from './outcomes.js'

/** Control characters but line feed and tab, and those that turn the direction of text. */
const ESCAPES = /[^\P{Cc}\n\t]|[\u202a-\u202e\u2066-\u2069]/u

let runs = 0

/**
 * Runs a command line in a folder.
 * @returns what it printed to stdout
 * @throws LayerpruneError where it ends in one clear error
 * @throws WrongSuccess where what it prints could steer a terminal
 */
export async function runProgram(args, folder) {
  const { exitCode, stdout, stderr } = await capture(args, folder)
  const found = ESCAPES.exec(stdout) ?? ESCAPES.exec(stderr)
  if (found) {
    const { index, input } = found
    throw new WrongSuccess(`prints ${JSON.stringify(input.slice(Math.max(0, index - 60), index + 30))}`)
  }
  // `inspect` exits with 1 for a model that cannot be analysed, which it describes
  if (!exitCode || (stdout !== '' && !/^error: /m.test(stderr))) return stdout
  const [, message] = /^error: (?!unexpected: )(.+)\n(?:hint: .+\n)?$/m.exec(stderr) ?? []
  if (message === undefined || !stderr.endsWith(stderr.slice(stderr.indexOf('error: ')))) throw new Error(stderr)
  throw new LayerpruneError(message)
}

async function capture(args, folder) {
  const { argv, stdout, stderr } = process
  const texts = { stdout: '', stderr: '' }
  const writes = { stdout: stdout.write, stderr: stderr.write }
  for (const name of ['stdout', 'stderr']) {
    process[name].write = (chunk, encoding, done = encoding) => {
      texts[name] += chunk
      if (typeof done === 'function') done()
      return true
    }
  }
  const cwd = process.cwd()
  process.chdir(folder)
  process.argv = [argv[0], 'layerprune', ...args]
  try {
    // each address is a module of its own
    await import(`../../dist/cli/main.js?${runs++}`)
    return { ...texts, exitCode: process.exitCode }
  } finally {
    process.exitCode = undefined
    process.argv = argv
    process.chdir(cwd)
    for (const name of ['stdout', 'stderr']) {
      process[name].write = writes[name]
      process[name].removeAllListeners('error')
    }
  }
}
