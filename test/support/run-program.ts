import { spawn } from 'node:child_process'
import { PROGRAM } from './paths.js'
import { makeTempFolder } from './temp-folder.js'

export interface Outcome {
  exitCode: number | null
  stdout: string
  stderr: string
}

/** Nothing in the tests asks the real Hub or reads the user's cache of it. */
const WITHOUT_HUB = { HF_HUB_OFFLINE: '1', HF_HOME: '/nonexistent' }

/** Starts the program as a user would, in a folder of its own if none is given. */
export function startProgram(args: string[], { cwd = makeTempFolder(), env = {} } = {}) {
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    cwd,
    env: { ...process.env, NO_COLOR: '1', ...WITHOUT_HUB, ...env },
  })
  const texts = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      texts[name] += text
    })
  }
  const outcome = new Promise<Outcome>((resolve) =>
    child.on('close', (exitCode) => resolve({ exitCode, ...texts })),
  )
  return { child, texts, outcome }
}

export function runProgram(
  args: string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<Outcome> {
  return startProgram(args, options).outcome
}
