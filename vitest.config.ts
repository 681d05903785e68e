import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/{unit,property,golden,lsp,fuzz}/**/*.test.ts'],
    // Forks, not threads: onnxruntime-node must never be unloaded with a worker thread.
    pool: 'forks',
    globalSetup: ['test/global-setup.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
