import { vitePreprocess } from '@sveltejs/vite-plugin-svelte'

export default {
  preprocess: vitePreprocess(),
  compilerOptions: {
    runes: true,
    // Pages take their boot data once; reading a prop's first value is what is meant there.
    warningFilter: (warning) => warning.code !== 'state_referenced_locally',
  },
}
