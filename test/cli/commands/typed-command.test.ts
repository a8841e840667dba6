import { mkdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { expect, it } from 'vitest'
import { makePruneCommand } from '../../../src/cli/commands/prune.js'
import { formatTypedCommand } from '../../../src/cli/commands/run/typed-command.js'
import { makeTempFolder } from '../../support/temp-folder.js'

it('a card names the command that was typed, and no place on this machine', () => {
  const folder = makeTempFolder()
  mkdirSync(join(folder, 'my texts'))
  const words = [
    ...['prune', '--model', join(folder, 'm'), '--drop=1:3', '-o', relative('.', join(folder, 'out')), '--repair'],
    ...['--dataset', join(folder, 'my texts'), `${folder}/more.jsonl:0.3`, `--evaluate-on=${folder}/x.jsonl`],
    ...['--tokenizer', 'org/other', '--base', 'https://me:secret@hub.example/org/base', '--quiet'],
  ]
  expect(formatTypedCommand(words)).toBe(
    "layerprune prune --model m --drop=1:3 -o out --repair --dataset 'my texts' more.jsonl:0.3 " +
      '--evaluate-on=x.jsonl --tokenizer org/other --base https://hub.example/org/base --quiet',
  )
})

it('--help says what --repair changes', () => {
  const help = makePruneCommand().helpInformation()
  expect(help.replaceAll(/\s+/g, ' ')).toContain('--repair refit weights of the layers around each cut')
})
