import react from '@vitejs/plugin-react'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const root = fileURLToPath(new URL('.', import.meta.url))

export default defineConfig({
  root,
  plugins: [react()],
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    // Everything is a file under /assets: the page runs under `default-src 'self'`, which forbids data: URLs.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
})
