import { defineConfig } from 'vitest/config';

/** Runs a few unit tests of a copy of the sources; nothing is built before. */
export default defineConfig({
  test: {
    include: ['test/{unit,property,golden}/**/*.test.ts'],
    pool: 'forks',
    testTimeout: 60_000,
    watch: false,
  },
});
