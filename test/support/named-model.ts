import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { copyFixture } from './fixture-model.js'

/** Front matter of a card with most of what a GGUF file states of a model. */
const CARD = `---
license: [apache-2.0, mit]
license_name: two
license_link: LICENSE
language:
- en
- no
tags: [chat, small]
pipeline_tag: text-generation
base_model:
- org/base-7B-v2
- https://huggingface.co/other/parent-model
- name: Third
  version: "3"
datasets: someone/texts-v1.5
model_creator: A. Person
---
# Card
`

/** A copy of the small Llama whose card, config and generation config say what it is. */
export function makeNamedModel(changes: { card?: string; name?: string } = {}): string {
  const folder = copyFixture('llama')
  const path = join(folder, 'config.json')
  const config = JSON.parse(readFileSync(path, 'utf8'))
  writeFileSync(path, JSON.stringify({ ...config, _name_or_path: changes.name ?? 'my-org/tiny-model-42K-chat-v1.2' }))
  writeFileSync(join(folder, 'README.md'), changes.card ?? CARD)
  writeFileSync(
    join(folder, 'generation_config.json'),
    JSON.stringify({ eos_token_id: 2, temperature: 0.6, top_k: 20, top_p: 0.95, repetition_penalty: 1.05 }),
  )
  return folder
}
