import { readdirSync } from 'node:fs'
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'

/** Bundles test/*.test.ts so that node's own runner can run them. */
export default defineConfig({
  plugins: [svelte()],
  build: {
    ssr: true,
    outDir: '.test',
    emptyOutDir: true,
    rollupOptions: {
      input: readdirSync('test')
        .filter((name) => name.endsWith('.test.ts'))
        .map((name) => `test/${name}`),
      output: { entryFileNames: '[name].mjs' },
    },
  },
})
