import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'

/** One entry per page; the server finds the hashed files through `.vite/manifest.json`. */
const pages = ['agent', 'supervisor', 'login', 'account', 'admin', 'operator', 'callme', 'chat', 'status', 'portal']

export default defineConfig({
  plugins: [svelte()],
  base: '/',
  build: {
    target: 'es2022',
    assetsDir: 'assets',
    // The server's Content-Security-Policy has neither data: nor inline sources.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    manifest: true,
    rollupOptions: {
      input: {
        ...Object.fromEntries(pages.map((page) => [page, `src/pages/${page}.ts`])),
        embed: 'src/pages/embed.ts',
      },
      output: {
        // Foreign pages name this one by hand, so its address never changes.
        entryFileNames: (chunk) => (chunk.name === 'embed' ? 'embed.js' : 'assets/[name]-[hash].js'),
        chunkFileNames: 'assets/[name]-[hash].js',
        assetFileNames: 'assets/[name]-[hash][extname]',
      },
    },
  },
})
