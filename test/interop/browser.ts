import { spawn } from 'node:child_process'
import { rm } from 'node:fs/promises'
import type { Readable, Writable } from 'node:stream'
import { makeTempFolder } from '../support/temp-folder.js'
import { findProgram, isExecutable } from './find-program.js'
import { endProcessGroup } from './process-group.js'

/** What the page under test shows: DevTools' answers are plain JSON. */
// biome-ignore lint/suspicious/noExplicitAny: the protocol is not typed here
type Answer = any

export interface Browser {
  /** Everything that was written to the console as an error, and every exception nobody caught. */
  errors: string[]
  send(method: string, params?: object): Promise<Answer>
  /** Value of an expression in the page; promises are awaited. */
  evaluate(expression: string): Promise<Answer>
  close(): Promise<void>
}

/** Path of a Chromium, from LAYERPRUNE_CHROMIUM or the PATH; undefined if there is none. */
export function findChromium(): string | undefined {
  const named = process.env.LAYERPRUNE_CHROMIUM
  const found = findProgram(['chromium', 'chromium-browser', 'google-chrome'])
  return named && isExecutable(named) ? named : found
}

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--remote-debugging-pipe',
]

/** Opens a page in a headless Chromium that is spoken to through a pipe, with a profile of its own. */
export async function openPage(chromium: string, url: string): Promise<Browser> {
  const profile = makeTempFolder()
  const child = spawn(chromium, [...FLAGS, `--user-data-dir=${profile}`], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    // a group of its own: what it starts writes to the profile even after it has ended
    detached: true,
  })
  const connection = connect(child.stdio[3] as Writable, child.stdio[4] as Readable)
  const close = async () => {
    await endProcessGroup(child)
    // Chromium's crash handlers leave the group, and end a moment after it
    await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
  }
  try {
    return { ...(await attach(connection, url)), errors: connection.errors, close }
  } catch (error) {
    await close()
    throw error
  }
}

async function attach(connection: ReturnType<typeof connect>, url: string) {
  const { targetId } = await connection.send('Target.createTarget', { url: 'about:blank' })
  const { sessionId } = await connection.send('Target.attachToTarget', { targetId, flatten: true })
  const send = (method: string, params: object = {}) => connection.send(method, params, sessionId)
  await send('Runtime.enable')
  await send('Log.enable')
  await send('Page.enable')
  const loaded = connection.waitFor('Page.loadEventFired')
  await send('Page.navigate', { url })
  await loaded
  const evaluate = async (expression: string) => {
    const { result, exceptionDetails } = await send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
      userGesture: true,
    })
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text)
    return result.value
  }
  return { send, evaluate }
}

/** DevTools protocol over a pipe: JSON texts, each ended by a zero byte. */
function connect(input: Writable, output: Readable) {
  const waiting = new Map<number, { resolve: (answer: Answer) => void; reject: (error: Error) => void }>()
  const events = new Map<string, () => void>()
  const errors: string[] = []
  let rest = ''
  let lastId = 0
  const receive = ({ id, result, error, method, params }: Answer) => {
    if (id !== undefined) {
      const { resolve, reject } = waiting.get(id)!
      waiting.delete(id)
      if (error) reject(new Error(error.message))
      else resolve(result)
      return
    }
    events.get(method)?.()
    if (method === 'Runtime.exceptionThrown') errors.push(params.exceptionDetails.exception?.description)
    if (method === 'Runtime.consoleAPICalled' && params.type === 'error') errors.push(JSON.stringify(params.args))
    if (method === 'Log.entryAdded' && params.entry.level === 'error') errors.push(params.entry.text)
  }
  output.setEncoding('utf8').on('data', (text: string) => {
    const messages = (rest + text).split('\0')
    rest = messages.pop()!
    for (const message of messages) receive(JSON.parse(message))
  })
  output.on('close', () => {
    for (const { reject } of waiting.values()) reject(new Error('Chromium has ended'))
  })
  return {
    errors,
    send(method: string, params: object = {}, sessionId?: string): Promise<Answer> {
      const id = ++lastId
      input.write(`${JSON.stringify({ id, method, params, sessionId })}\0`)
      return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }))
    },
    waitFor: (method: string) => new Promise<void>((resolve) => events.set(method, resolve)),
  }
}
