// Runs the built program again and again in this process, which has loaded it once. Each message { args, cwd, env } is
// a run; the answer is what a process of its own would have left: { exitCode, stdout, stderr }.
import { setQuiet } from '../../dist/cli/terminal/output.js'

const PROGRAM = new URL('../../dist/cli/main.js', import.meta.url)
const { log, info, debug, warn, error } = console
let runs = 0

process.on('message', async (task) => process.send(await run(task)))

async function run({ args, cwd, env }) {
  const written = { stdout: '', stderr: '' }
  const restore = ['stdout', 'stderr'].map((name) => catchOutput(name, written))
  for (const name of Object.keys(process.env)) if (!(name in env)) delete process.env[name]
  Object.assign(process.env, env)
  process.chdir(cwd)
  process.argv.splice(2, Number.POSITIVE_INFINITY, ...args)
  process.exitCode = undefined
  setQuiet(false)
  // the module that reads the arguments is loaded anew, all that it imports is not
  await import(`${PROGRAM}?${runs++}`)
  for (const give of restore) give()
  Object.assign(console, { log, info, debug, warn, error })
  return { exitCode: process.exitCode ?? 0, ...written }
}

/** Keeps what is written to a stream, until the returned function is called. */
function catchOutput(name, written) {
  const stream = process[name]
  const { write } = stream
  stream.write = (text, ...rest) => {
    written[name] += text
    const done = rest.at(-1)
    if (typeof done === 'function') done()
    return true
  }
  return () => {
    stream.write = write
    stream.removeAllListeners('error')
  }
}
