#!/usr/bin/env node
import './check-node.js'
import {readFileSync} from 'node:fs'
import module from 'node:module'
import {fileURLToPath} from 'node:url'
import {setFlagsFromString} from 'node:v8'

const root = fileURLToPath(new URL('..', import.meta.url))
const argv = process.argv.slice(2)

if (argv.length === 1 && argv[0] === '--version') {
  // The one answer that needs none of the program.
  const {name, version} = JSON.parse(readFileSync(`${root}package.json`, 'utf8'))
  process.stdout.on('error', ({code}) => process.exit(code === 'EPIPE' ? 0 : 9))
  process.stdout.write(`${name}/${version} ${process.platform}-${process.arch} node-${process.version}\n`)
} else {
  // These two move gigabytes in buffers that live for milliseconds. V8 would let the young generation grow to 32 MB, and, before it is
  // full, collect the old one for the sake of the buffers; in 1 MB they go soon. Given to Node as an option, the factor has no effect.
  if (argv[0] === 'produce' || argv[0] === 'local') setFlagsFromString('--semi-space-growth-factor=1')
  // V8 counts buffers as part of the old generation, which it collects anew after a few megabytes when little of it lives: in a
  // stack that takes 300 MB/s, twenty times a second. It may become four times as large, which is V8's own maximum.
  if (argv[0] === 'local') setFlagsFromString('--heap-growing-percent=300')
  if (module.enableCompileCache) module.enableCompileCache() // Node >= 22.1; before the first heavy import
  import('../dist/lib/start.js').then(({start}) => start(argv, root))
}
