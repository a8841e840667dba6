/**
 * Writes what the pages show of the program: the demo's output and picture, the tables of docs/models.md, the picture of
 * docs/architecture.md.
 * Run it with `npm run docs` after a change of what people see; the tests compare the pages with the program.
 */
import { execFileSync } from 'node:child_process'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { drawArchitecture } from './architecture-picture.js'
import { countModels, formatArchitectures, formatFamilies, formatWrappers } from './model-tables.js'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))

const output = execFileSync(process.execPath, ['examples/demo.js'], {
  encoding: 'utf8',
  stdio: ['ignore', 'pipe', 'inherit'],
})
copyFileSync('layerprune-output/distances.svg', 'examples/distances.svg')
writeFileSync('docs/images/architecture.svg', drawArchitecture('.'))

const fence = (text) => `\`\`\`text\n${text}\n\`\`\``
const ending = /^Nearest block:[\s\S]*? -o \S+$/m.exec(output)[0]
replaceSections('README.md', { demo: fence(ending), count: countModels() })
replaceSections('examples/README.md', { demo: fence(output.trim()) })
replaceSections('docs/models.md', {
  families: formatFamilies(),
  wrappers: formatWrappers(),
  architectures: formatArchitectures(),
})

/** Puts texts between `<!-- name: ... -->` and `<!-- /name -->`. */
function replaceSections(file, texts) {
  let page = readFileSync(file, 'utf8')
  for (const [name, text] of Object.entries(texts)) {
    const section = new RegExp(`(<!-- ${name}: .* -->\\n)[\\s\\S]*?(<!-- /${name} -->)`)
    if (!section.test(page)) throw new Error(`${file} has no section ${name}`)
    page = page.replace(section, (_, open, close) => `${open}${text}\n${close}`)
  }
  writeFileSync(file, page)
}
