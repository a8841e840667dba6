import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openModel } from '../../../src/engine/model.js'
import { findLostWindow } from '../../../src/jobs/run/lost-window.js'
import { chooseRunSettings } from '../../../src/jobs/run/run-options.js'
import { FIXTURES } from '../../support/paths.js'
import { makeTempFolder } from '../../support/temp-folder.js'

const WINDOW = 8

/** Opens an export of onnxruntime-genai whose config states something else of windows. */
async function openWith(name: string, window: Record<string, unknown>) {
  const model = makeTempFolder()
  cpSync(join(FIXTURES, 'onnx', name), model, { recursive: true })
  const file = join(model, 'genai_config.json')
  const config = JSON.parse(readFileSync(file, 'utf8'))
  Object.assign(config.model.decoder, window)
  writeFileSync(file, JSON.stringify(config))
  return await openModel({ model })
}

const STATED = { sliding_window: { window_size: WINDOW, layers: [] } }

it('longer texts than a window that the graph has lost are refused, and cut if no length is asked for', async () => {
  const model = await openWith('genai-llama', STATED)
  expect(() => chooseRunSettings({ maxLength: WINDOW + 1 }, model)).toThrow(
    'max length 9 exceeds the window of 8 tokens that attention has by the config: model.onnx has no window',
  )
  expect(chooseRunSettings({ maxLength: WINDOW }, model).maxLength).toBe(WINDOW)
  const notes: string[] = []
  expect(chooseRunSettings({}, model, (note) => notes.push(note)).maxLength).toBe(WINDOW)
  expect(notes).toEqual(['texts are cut at 8 tokens, the window of attention, which model.onnx lacks'])
})

it.each([
  ['that config.json states as a number', { sliding_window: WINDOW }, WINDOW],
  ['that is switched off', { sliding_window: WINDOW, use_sliding_window: false }, 128],
  ['that no layer has', { sliding_window: WINDOW, layer_types: Array(3).fill('full_attention') }, 128],
  ['that is null', { sliding_window: null }, 128],
])('a window %s', async (_, stated, length) => {
  expect(chooseRunSettings({}, await openWith('genai-llama', stated)).maxLength).toBe(length)
})

it('a window that the graph has is not lost', async () => {
  const model = await openWith('genai-gpt-oss', {})
  expect(model.config.raw.sliding_window).toMatchObject({ window_size: WINDOW })
  expect(chooseRunSettings({}, model).maxLength).toBe(128)
})

it.each([
  ['a mask without the window', 'llama', 77, 77],
  // its mask compares positions with 4096
  ['a mask with it', 'mistral', 4096, null],
  ['a mask without it, of a family that has none by default', 'qwen2', 77, null],
])('%s', async (_, name, window, lost) => {
  const { config, decoder } = await openModel({ model: join(FIXTURES, 'onnx', name) })
  const stated = { ...config, raw: { sliding_window: window } }
  expect(findLostWindow(stated, decoder.model.graph)).toBe(lost)
})

it('safetensors keep every window', async () => {
  const model = await openModel({ model: join(FIXTURES, 'families/mistral-window') })
  const { sliding_window: window } = model.config.raw
  expect(typeof window).toBe('number')
  expect(chooseRunSettings({}, model).maxLength).toBeGreaterThan(window as number)
})
