import { defineConfig } from 'vitest/config'

/** ONNX Runtime leaves the thread that ran it rounding the smallest numbers to zero, which these files look at. */
const ALONE = ['test/weights/encode-floats.test.ts']

const files = {
  setupFiles: 'test/support/after-file.ts',
  testTimeout: 60_000,
  hookTimeout: 60_000,
}

export default defineConfig({
  test: {
    globalSetup: 'test/support/build.ts',
    maxWorkers: 2,
    projects: [
      {
        test: {
          ...files,
          name: 'shared',
          include: ['test/**/*.test.ts'],
          exclude: ALONE,
          // a process loads the sources and ONNX Runtime once, not for each file
          isolate: false,
        },
      },
      { test: { ...files, name: 'alone', include: ALONE } },
    ],
  },
})
