// Reads vitest's JSON report: prints how many tests against other programs ran, and fails if any test was skipped.
//   node .ci/check-report.js report.json
import { readFileSync } from 'node:fs'

const { testResults } = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const tests = testResults.flatMap(({ name, assertionResults }) =>
  assertionResults.map(({ fullName, status }) => ({ file: name.replaceAll('\\', '/'), fullName, status })),
)
const skipped = tests.filter(({ status }) => status !== 'passed')
const ran = tests.filter(({ file, status }) => file.includes('/test/interop/') && status === 'passed')

console.log(
  `test/interop: ${ran.length} tests ran; of all ${tests.length} tests, ${skipped.length} were skipped`,
)
for (const { file, fullName } of skipped) console.error(`skipped: ${file}: ${fullName}`)
process.exitCode = ran.length === 0 || skipped.length > 0 ? 1 : 0
