import { spawn } from 'node:child_process'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { makeTempFolder } from '../support/temp-folder.js'
import { endProcessGroup } from './process-group.js'

/** A process that ends at once when asked to, with a child that goes on writing files and does not. */
const WRITES_ON = `
  (trap '' TERM; n=0; while true; do n=$((n + 1)); mkdir -p "$0/$n" && touch "$0/$n/file" && sleep 0.01; done) &
  wait`

it.skipIf(process.platform === 'win32')('ends children that outlive their parent', async () => {
  const folder = makeTempFolder()
  const parent = spawn('sh', ['-c', WRITES_ON, folder], { stdio: 'ignore', detached: true })
  const ended = new Promise((resolve) => parent.on('close', resolve))
  while (readdirSync(folder).length === 0) await sleep(5)
  await endProcessGroup(parent, { graceMs: 100 })
  await ended
  rmSync(folder, { recursive: true })
  await sleep(50)
  expect(existsSync(folder)).toBe(false)
})
