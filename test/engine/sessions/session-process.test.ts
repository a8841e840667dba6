import { expect, it } from 'vitest'
import { LayerpruneError } from '../../../src/base/errors.js'
import { openRunner } from '../../../src/engine/sessions/graph-runner.js'
import { SessionProcess } from '../../../src/engine/sessions/session-process.js'
import { findChildren } from '../../support/child-processes.js'
import { buildFrom, fixtureFolder, ONE_THREAD } from '../../support/fixture-model.js'
import { TEXTS } from '../../support/run-decoder.js'

const BATCH = TEXTS.map((ids) => ({ ids, origin: 'test' }))

async function openLlama(apart?: SessionProcess) {
  const { decoder, config } = await buildFrom(fixtureFolder('llama'))
  return openRunner(decoder, config, [], { ...ONE_THREAD, apart })
}

async function runLlama(apart?: SessionProcess): Promise<unknown> {
  const runner = await openLlama(apart)
  const { logits } = await runner.run(runner.makeFeeds(BATCH, 12, {}))
  await runner.release()
  return { dims: logits!.dims, type: logits!.type, data: logits!.data }
}

it('gives what sessions of this process give, several at once and one after the other', async () => {
  const apart = new SessionProcess()
  const expected = await runLlama()
  expect(await Promise.all([runLlama(apart), runLlama(apart), runLlama(apart)])).toEqual([expected, expected, expected])
  expect(await runLlama(apart)).toEqual(expected)
  apart.end()
})

it('says what ONNX Runtime refuses, and goes on', async () => {
  const apart = new SessionProcess()
  const runner = await openLlama(apart)
  await expect(runner.run({})).rejects.toThrow(/^ONNX Runtime cannot run the graph: .*input_ids/)
  expect(await runLlama(apart)).toEqual(await runLlama())
  apart.end()
})

it('rejects what waits if it is aborted, and releases then', async () => {
  const stop = new AbortController()
  const apart = new SessionProcess(stop.signal)
  const runner = await openLlama(apart)
  const running = runner.run(runner.makeFeeds(BATCH, 12, {}))
  stop.abort(new LayerpruneError('stopped'))
  await expect(running).rejects.toThrow('stopped')
  await runner.release()
  await expect(openLlama(apart)).rejects.toThrow('stopped')
})

it.runIf(process.platform === 'linux')('says so if the system ends it', async () => {
  const before = findChildren(process.pid, 'session-worker')
  const apart = new SessionProcess()
  const runner = await openLlama(apart)
  const [child] = findChildren(process.pid, 'session-worker').filter((id) => !before.includes(id))
  process.kill(child!, 'SIGKILL')
  const ended = /^the process that runs the model has ended/
  await expect(runner.run(runner.makeFeeds(BATCH, 12, {}))).rejects.toThrow(ended)
  await expect(openLlama(apart)).rejects.toThrow(ended)
  await runner.release()
})
