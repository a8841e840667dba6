import { fork } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Processor time, for a busy machine is no hang, and time that may pass without any. */
const MAX_CPU_MS = 10_000
const MAX_MS = 60_000
const MAX_RSS_BYTES = 2e9
/** Cases of one process; then another takes over, so that nothing adds up. */
const MAX_CASES = 1000

/** Reads files in a process of its own: native code may end it. It is replaced if it hangs, dies or takes too much memory. */
export class ReadingProcess {
  #worker
  #cases = 0

  /** @param folder for the files that are read */
  constructor(folder) {
    this.folder = folder
  }

  /** How a reader took the bytes. */
  async read(task) {
    this.#worker ??= start(this.folder)
    const answer = await ask(this.#worker, task)
    const tooLarge = answer.peakBytes > MAX_RSS_BYTES
    if (answer.peakBytes === undefined || tooLarge || ++this.#cases === MAX_CASES) this.end()
    return tooLarge ? { outcome: 'memory', detail: `${answer.peakBytes} bytes, then ${answer.detail}` } : answer
  }

  end() {
    this.#worker?.kill('SIGKILL')
    this.#worker = undefined
    this.#cases = 0
  }
}

function start(folder) {
  const script = fileURLToPath(new URL('./worker.js', import.meta.url))
  const env = { ...process.env, NO_COLOR: '1', HF_HUB_OFFLINE: '1', HF_HOME: `${folder}/hub` }
  return fork(script, [folder], {
    serialization: 'advanced',
    env,
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
}

async function ask(worker, task) {
  let timer
  let stderr = ''
  worker.stderr.setEncoding('utf8').on('data', (text) => {
    stderr = (stderr + text).slice(0, 2000)
  })
  const answer = await new Promise((resolve) => {
    timer = watch(worker, () => resolve({ outcome: 'hang' }))
    worker.once('message', resolve)
    worker.once('exit', (code, signal) => resolve({ outcome: 'crash', detail: `exit ${signal ?? code}\n${stderr}` }))
    worker.send(task)
  })
  clearInterval(timer)
  worker.removeAllListeners('message').removeAllListeners('exit')
  worker.stderr.removeAllListeners('data')
  return answer
}

function watch(worker, onHang) {
  const cpuMs = cpuMsOf(worker)
  const startMs = Date.now()
  return setInterval(() => {
    const passedMs = Date.now() - startMs
    const usedMs = (cpuMsOf(worker) ?? passedMs) - (cpuMs ?? 0)
    if (usedMs > MAX_CPU_MS || passedMs > MAX_MS) onHang()
  }, 500)
}

/** Processor time of a process so far, in all of its threads; undefined if the system has no /proc. */
function cpuMsOf({ pid }) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ')
    return 10 * (Number(fields[11]) + Number(fields[12]))
  } catch {
    return undefined
  }
}
