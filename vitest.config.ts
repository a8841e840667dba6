import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** ONNX Runtime leaves the thread that ran it rounding the smallest numbers to zero, which these files look at. */
const FIRST = ['test/files/weights/encode-floats.test.ts', 'test/results/report/perplexity-svg.test.ts']

class Sequencer extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const isFirst = ({ moduleId }: TestSpecification) => FIRST.some((file) => moduleId.endsWith(file))
    return [...sorted.filter(isFirst), ...sorted.filter((file) => !isFirst(file))]
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
