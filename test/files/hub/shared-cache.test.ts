import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { filesOf } from '../../support/hub/repos.js'
import { type HubServer, startHubServer } from '../../support/hub/server.js'
import { FIXTURES, PROGRAM, TEXTS } from '../../support/paths.js'
import type { Outcome } from '../../support/run-program.js'
import { makeTempFolder } from '../../support/temp-folder.js'

// Two containers that share a cache, each with process ids of its own. LAYERPRUNE_SHARED_ROUNDS=20 does it 20 times.
const ROUNDS = Number(process.env.LAYERPRUNE_SHARED_ROUNDS ?? 1)
const NAMESPACE = ['--pid', '--fork', '--mount-proc']
const MODEL = filesOf(join(FIXTURES, 'families/phi3'))

const canUnshare = spawnSync('unshare', [...NAMESPACE, 'true']).status === 0
if (!canUnshare) {
  console.log('tests of a shared cache skipped: this system lets nobody make PID namespaces (unshare)')
}

let server: HubServer
beforeAll(async () => {
  server = await startHubServer()
  server.add({ type: 'model', id: 'org/phi3', files: MODEL })
})
afterAll(() => server.close())

/** Runs the program as the first process of a PID namespace, or as the second; each run writes to a folder of its own. */
function runInNamespace(home: string, output: string, isFirst: boolean): Promise<Outcome> {
  const program = [process.execPath, PROGRAM, 'similarity', '--model', 'org/phi3', '--dataset', TEXTS]
  const flags = ['--layers-to-skip', '1', '--dataset-size', '1', '--json', '--output', join(home, output)]
  const shell = ['sh', '-c', isFirst ? 'exec "$@"' : '"$@"; exit $?', 'sh']
  const child = spawn('unshare', [...NAMESPACE, ...shell, ...program, ...flags], {
    env: { ...process.env, NO_COLOR: '1', HF_ENDPOINT: server.endpoint, HF_HOME: home, HF_HUB_OFFLINE: '0' },
  })
  const outcome = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      outcome[name] += text
    })
  }
  return new Promise((resolve) => child.on('close', (exitCode) => resolve({ exitCode, ...outcome })))
}

it.skipIf(!canUnshare)(
  `two PID namespaces fetch one model into one cache, ${ROUNDS} times`,
  { timeout: 60_000 + ROUNDS * 20_000 },
  async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const home = makeTempFolder()
      server.reset()
      // both are at it at the same time, at other places of the file
      server.fail(/blobs/, { kind: 'slow', bytes: 5000, everyMs: 10 }, 1)
      server.fail(/blobs/, { kind: 'slow', bytes: 3000, everyMs: 10 }, 1)
      server.fail(/resolve-cache/, { kind: 'slow', bytes: 500, everyMs: 10 }, 8)
      const outcomes = await Promise.all([
        runInNamespace(home, 'one', true),
        runInNamespace(home, 'other', round % 2 === 0),
      ])
      for (const { exitCode, stderr } of outcomes) expect(exitCode, stderr).toBe(0)
      const [first, second] = outcomes.map(({ stdout }) => JSON.parse(stdout))
      expect(first.distances).toEqual(second.distances)
      expectSoundCache(join(home, 'hub/models--org--phi3'))
      rmSync(home, { recursive: true })
    }
  },
)

/** Every blob has the content that its name says, every file of the snapshot is one, and nothing is left over. */
function expectSoundCache(folder: string) {
  const names = readdirSync(join(folder, 'blobs'))
  expect(names.filter((name) => !/^[0-9a-f]{40}([0-9a-f]{24})?$/.test(name))).toEqual([])
  for (const name of names) {
    const bytes = readFileSync(join(folder, 'blobs', name))
    const hash =
      name.length === 64
        ? createHash('sha256').update(bytes)
        : createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes)
    expect(hash.digest('hex')).toBe(name)
  }
  const snapshot = join(folder, 'snapshots', server.commitOf('org/phi3'))
  const linked = readdirSync(snapshot)
  expect(linked).toContain('model.safetensors')
  for (const name of linked) {
    expect(readFileSync(join(snapshot, name)).equals(Buffer.from(MODEL[name]!)), name).toBe(true)
  }
}
