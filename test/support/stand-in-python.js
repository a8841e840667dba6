// Takes the place of Python for the benches that compare with it: it answers at once what their loops would print.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import { createInterface } from 'node:readline'

const LOOPS = {
  'pytorch_loop.py': () => {
    console.error('100 tokens/s')
    console.log('[0.25, 0.25]')
  },
  'lm_eval_loop.py': () => console.log('{"acc": 0.25, "acc_norm": 0.25}'),
  'heal_loop.py': async () => {
    console.log('ready')
    for await (const _ of createInterface({ input: process.stdin })) {
      console.log(JSON.stringify({ seconds: 1, processorSeconds: 1, loss: 1, peakMegabytes: 1 }))
    }
  },
}

/** Runs a command as the benches let Python do it: its peak memory in KB is the last line of stderr. */
function reportPeak([program, ...args]) {
  const { status } = spawnSync(program, args, { stdio: 'inherit' })
  console.error('1000')
  process.exitCode = status
}

const [first, code, ...command] = process.argv.slice(2)
if (first === '-c') {
  if (command.length > 0) reportPeak(command)
  else if (!/^import [\w, ]+$/.test(code)) process.exitCode = 1
} else {
  if (!existsSync(first)) throw new Error(`no such file: ${first}`)
  await LOOPS[basename(first)]()
}
