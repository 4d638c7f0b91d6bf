import { defineConfig } from 'vitest/config'

const kind = (name: string, testTimeout: number, more: object = {}) => ({
  test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout, hookTimeout: testTimeout, ...more },
})

export default defineConfig({
  root: new URL('..', import.meta.url).pathname,
  test: {
    reporters: ['default'],
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/{unit,sim}/**/*.test.ts', 'test/*.test.ts'],
          testTimeout: 20_000,
        },
      },
      // Real processes measure themselves against deadlines: one file at a time.
      kind('system', 120_000, { fileParallelism: false, sequence: { groupOrder: 1 } }),
      kind('browser', 120_000, { fileParallelism: false, sequence: { groupOrder: 2 } }),
      // Most of the time they wait for a refresh or for a group of consumers: two files at a time.
      kind('engines', 120_000, {
        maxWorkers: 2,
        globalSetup: ['test/engines/setup.ts'],
        sequence: { groupOrder: 3 },
      }),
      kind('soak', 1_800_000, { fileParallelism: false, sequence: { groupOrder: 4 } }),
    ],
  },
})
