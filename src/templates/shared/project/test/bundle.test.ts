import assert from 'node:assert/strict'
import {execFileSync} from 'node:child_process'
import {mkdtempSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {after, before, describe, it} from 'node:test'
import {pathToFileURL} from 'node:url'

const BUNDLE = 'dist/handler.mjs'
const LARGEST_BYTES = 2_000_000

describe('the bundle', () => {
  const dir = mkdtempSync(join(tmpdir(), 'bundle-'))
  before(() => execFileSync(process.execPath, ['build.mjs']))
  after(() => rmSync(dir, {recursive: true, force: true}))

  it('loads from an ES module as Lambda loads it, and exports the handler', () => {
    const program = join(dir, 'load.mjs')
    const specifier = JSON.stringify(pathToFileURL(BUNDLE).href)
    writeFileSync(program, `const {handler} = await import(${specifier})\nprocess.stdout.write(typeof handler)\n`)

    const {environment} = JSON.parse(readFileSync('skk.project.json', 'utf8'))
    // A function that produces gets its brokers when it is deployed.
    const env = {...process.env, SKK_BROKERS: 'localhost:9098', ...environment}
    assert.equal(execFileSync(process.execPath, [program], {encoding: 'utf8', env}), 'function')
  })

  it('is small enough to start quickly', () => {
    const {size} = statSync(BUNDLE)

    assert.ok(size < LARGEST_BYTES, `${size} bytes`)
  })
})
