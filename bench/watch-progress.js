/**
 * Watches what a long command shows on a terminal, four times a second.
 *   node bench/watch-progress.js [--most-silent SECONDS] [--most-rise SHARE] [--trace] -- COMMAND...
 * Prints how long it ran, the longest time without a change of what is seen, the longest in which nothing but clocks
 * changed, the largest rise of the time left after the first tenth of the run, and the last lines of progress.
 * Needs script(1), which gives the command a terminal. Ends with 1 if the command fails or a limit is exceeded.
 */
import { spawn } from 'node:child_process'
import { argv, env, exit } from 'node:process'
import { parseArgs } from 'node:util'
import { judgeSamples, Screen } from '../test/support/watched-screen.js'

const SAMPLES_PER_SECOND = 4

const { values, positionals } = parseArgs({
  args: argv.slice(2),
  allowPositionals: true,
  options: {
    'most-silent': { type: 'string', default: 'Infinity' },
    'most-rise': { type: 'string', default: 'Infinity' },
    trace: { type: 'boolean', default: false },
  },
})
const command = positionals.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ')
const child = spawn('script', ['-qfec', `stty cols 120; exec ${command}`, '/dev/null'], {
  stdio: ['ignore', 'pipe', 'inherit'],
  env: { ...env, TERM: 'xterm-256color' },
})

const screen = new Screen()
let written = ''
child.stdout.setEncoding('utf8').on('data', (text) => {
  written += text
  screen.write(text)
})
const startMs = performance.now()
const samples = []
const timer = setInterval(() => {
  samples.push({ seconds: (performance.now() - startMs) / 1000, line: screen.line, lines: screen.lines })
}, 1000 / SAMPLES_PER_SECOND)

child.on('close', (code) => {
  clearInterval(timer)
  const judged = judgeSamples(samples)
  if (values.trace) {
    for (const [index, { seconds, line }] of samples.entries()) {
      if (line !== samples[index - 1]?.line) console.log(`${seconds.toFixed(2).padStart(7)}  ${line}`)
    }
  }
  if (code !== 0) console.log(written)
  console.log(JSON.stringify({ code, ...judged }, null, 2))
  const isFine = judged.silentSeconds <= Number(values['most-silent']) && judged.rise <= Number(values['most-rise'])
  exit(code === 0 && isFine ? 0 : 1)
})
