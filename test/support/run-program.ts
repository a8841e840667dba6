import { type ChildProcess, fork, spawn } from 'node:child_process'
import { join } from 'node:path'
import { PROGRAM, ROOT } from './paths.js'
import { makeTempFolder } from './temp-folder.js'

export interface Outcome {
  exitCode: number | null
  stdout: string
  stderr: string
}

interface RunOptions {
  cwd?: string
  env?: Record<string, string>
}

/** Nothing in the tests asks the real Hub or reads the user's cache of it. */
const WITHOUT_HUB = { HF_HUB_OFFLINE: '1', HF_HOME: '/nonexistent' }

const environmentOf = (env: Record<string, string>) => ({
  ...process.env,
  NO_COLOR: '1',
  ...WITHOUT_HUB,
  ...env,
})

/** Starts the program as a user would, in a folder of its own if none is given. */
export function startProgram(args: string[], { cwd = makeTempFolder(), env = {} }: RunOptions = {}) {
  const child = spawn(process.execPath, [PROGRAM, ...args], { cwd, env: environmentOf(env) })
  const texts = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      texts[name] += text
    })
  }
  const outcome = new Promise<Outcome>((resolve) => child.on('close', (exitCode) => resolve({ exitCode, ...texts })))
  return { child, texts, outcome }
}

let server: ChildProcess | undefined
let last: Promise<unknown> = Promise.resolve()

/**
 * Runs the program, after the runs before it, in a process that is kept for all: it starts in a tenth of the time.
 * What belongs to a process, such as signals, memory and the streams it is started with, is tested by `startProgram`;
 * options of Node make a process of their own too.
 */
export function runProgram(args: string[], { cwd = makeTempFolder(), env = {} }: RunOptions = {}): Promise<Outcome> {
  if (env.NODE_OPTIONS !== undefined) return startProgram(args, { cwd, env }).outcome
  const outcome = last.then(() => runInServer({ args, cwd, env: environmentOf(env) }))
  last = outcome.catch(() => {})
  return outcome
}

function runInServer(task: { args: string[]; cwd: string; env: NodeJS.ProcessEnv }): Promise<Outcome> {
  server ??= startServer()
  const child = server
  child.ref()
  child.channel!.ref()
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null, signal: string | null) =>
      reject(new Error(`layerprune ${task.args.join(' ')} ended its process: ${signal ?? code}`))
    child.once('exit', onExit)
    child.once('message', (outcome) => {
      child.off('exit', onExit)
      child.unref()
      child.channel!.unref()
      resolve(outcome as Outcome)
    })
    child.send(task)
  })
}

function startServer(): ChildProcess {
  const child = fork(join(ROOT, 'test/support/program-server.js'), { execArgv: [] })
  return child.once('exit', () => {
    server = undefined
  })
}
