import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** ONNX Runtime leaves the thread that ran it rounding the smallest numbers to zero, which these files look at. */
const FIRST = ['test/files/weights/encode-floats.test.ts', 'test/results/report/perplexity-svg.test.ts']

/** The longest come next, so that none runs last and alone: without an earlier run vitest goes by the size of files. */
const LONGEST = [
  'test/project/docs.test.ts',
  'test/files/hub/network.test.ts',
  'test/interop/report.test.ts',
  'test/jobs/similarity/safetensors-families.test.ts',
  'test/cli/commands/next-commands.test.ts',
  'test/project/packed/packed.test.ts',
  'test/cli/commands/resume.test.ts',
  'test/jobs/heal/heal-model.test.ts',
]
const ORDER = [...FIRST, ...LONGEST]

class Sequencer extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const rankOf = ({ moduleId }: TestSpecification) => {
      const rank = ORDER.findIndex((file) => moduleId.endsWith(file))
      return rank < 0 ? ORDER.length : rank
    }
    return sorted.toSorted((a, b) => rankOf(a) - rankOf(b))
  }
}

export default defineConfig({
  test: {
    globalSetup: 'test/support/build.ts',
    setupFiles: 'test/support/after-file.ts',
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    // a process loads the sources and ONNX Runtime once, not for each file
    isolate: false,
    sequence: { sequencer: Sequencer },
  },
})
