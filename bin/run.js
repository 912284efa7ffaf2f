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
  // What is young in a long produce dies young, yet V8 would let its place grow to 16 or 32 MB; it looks at this factor only then.
  if (argv[0] === 'produce') setFlagsFromString('--semi-space-growth-factor=1')
  if (module.enableCompileCache) module.enableCompileCache() // Node >= 22.1; before the first heavy import
  import('../dist/lib/start.js').then(({start}) => start(argv, root))
}
