// Reads vitest's JSON report: prints how many tests ran, those in a folder apart, and fails if one was skipped.
//   node .ci/check-report.js REPORT.json [FOLDER]
import { readFileSync } from 'node:fs'

const [report, folder = 'test'] = process.argv.slice(2)
const { testResults } = JSON.parse(readFileSync(report, 'utf8'))
const tests = testResults.flatMap(({ name, assertionResults }) =>
  assertionResults.map(({ fullName, status }) => ({ file: name.replaceAll('\\', '/'), fullName, status })),
)
const skipped = tests.filter(({ status }) => status !== 'passed')
const ran = tests.filter(({ file, status }) => file.includes(`/${folder}/`) && status === 'passed')

console.log(`${folder}: ${ran.length} tests ran; of all ${tests.length} tests, ${skipped.length} were skipped`)
for (const { file, fullName } of skipped) console.error(`skipped: ${file}: ${fullName}`)
process.exitCode = ran.length === 0 || skipped.length > 0 ? 1 : 0
