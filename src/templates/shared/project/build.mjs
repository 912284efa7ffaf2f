import {rmSync} from 'node:fs'

import {build} from 'esbuild'

/** CommonJS packages ask for Node's modules with `require`, which an ES module does not have. */
const require = "import {createRequire} from 'node:module'; const require = createRequire(import.meta.url);"

rmSync('dist', {recursive: true, force: true})
await build({
  entryPoints: ['src/handler.ts'],
  outfile: 'dist/handler.mjs',
  bundle: true,
  minify: true,
  keepNames: true,
  platform: 'node',
  format: 'esm',
  target: 'node{{node}}',
  banner: {js: require},
  legalComments: 'none',
})
