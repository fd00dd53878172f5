import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { plugged } from './src/foundry/plug.ts';

const kernel = fileURLToPath(new URL('src/kernel', import.meta.url));

export default defineConfig({
  plugins: [
    {
      // Tests that import the kernel's sources get the plug-ins' hooks as every build does.
      name: 'foundry',
      enforce: 'pre',
      transform: (code, id) =>
        id.startsWith(kernel) ? plugged(kernel, relative(kernel, id), code) : null,
    },
  ],
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    fileParallelism: false,
    server: { deps: { external: [/\/dist\//] } },
  },
});
