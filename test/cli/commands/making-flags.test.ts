import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { makePruneCommand } from '../../../src/cli/commands/prune.js'
import { listMakingFlags } from '../../../src/cli/commands/run/making-flags.js'
import { makeTempFolder } from '../../support/temp-folder.js'

it('a card names the flags that made the model, and no place on this machine', async () => {
  const folder = makeTempFolder()
  mkdirSync(join(folder, 'my texts'))
  writeFileSync(join(folder, 'more.jsonl'), '')
  const command = makePruneCommand().action(() => {})
  await command.parseAsync(
    [
      ...['--model', 'm', '--drop', '1', '-o', 'out', '--force', '--quiet', '--threads', '2', '--repair'],
      ...['--dataset', join(folder, 'my texts'), join(folder, 'more.jsonl'), '--dataset-size', '64'],
      ...['--evaluate-on', 'org/data', '--format', 'safetensors', '--unproven'],
    ],
    { from: 'user' },
  )
  const made = "--repair --dataset 'my texts' more.jsonl --dataset-size 64 --evaluate-on org/data"
  expect(listMakingFlags(command).join(' ')).toBe(`${made} --unproven --format safetensors`)
})

it('--help says what --repair changes', () => {
  const help = makePruneCommand().helpInformation()
  expect(help.replaceAll(/\s+/g, ' ')).toContain('--repair refit weights of the layers around each cut')
})
