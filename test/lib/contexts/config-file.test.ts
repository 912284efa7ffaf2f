import {chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {afterEach, beforeEach, describe, expect, it} from 'vitest'

import {contextsFile, readContexts, saveContext} from '../../../src/lib/contexts/config-file.js'

let configDir: string
let umask: number
beforeEach(async () => {
  configDir = join(await mkdtemp(join(tmpdir(), 'skk-config-')), 'skk')
  umask = process.umask(0)
})
afterEach(async () => {
  process.umask(umask)
  await rm(join(configDir, '..'), {recursive: true})
})

const write = async (text: string) => {
  await mkdir(configDir, {recursive: true})
  await writeFile(contextsFile(configDir), text, {mode: 0o600})
}

describe('the config file', () => {
  it('is readable by its owner only, whatever the umask, and leaves no draft', async () => {
    await saveContext(configDir, 'staging', {cluster: 'orders'})

    expect((await stat(configDir)).mode & 0o777).toBe(0o700)
    expect((await stat(contextsFile(configDir))).mode & 0o777).toBe(0o600)
    expect(await readdir(configDir)).toEqual(['contexts.json'])
  })

  it('makes the first context the current one, and later ones only when told', async () => {
    await saveContext(configDir, 'one', {cluster: 'a'})
    await saveContext(configDir, 'two', {cluster: 'b'})
    expect((await readContexts(configDir)).current).toBe('one')

    await saveContext(configDir, 'two', {cluster: 'c'}, {use: true})

    expect(JSON.parse(await readFile(contextsFile(configDir), 'utf8'))).toEqual({
      version: 1,
      current: 'two',
      contexts: {one: {cluster: 'a'}, two: {cluster: 'c'}},
    })
  })

  it('that others can write is refused', async () => {
    await saveContext(configDir, 'one', {cluster: 'a'})
    await chmod(contextsFile(configDir), 0o666)

    await expect(readContexts(configDir)).rejects.toMatchObject({exitCode: 2, code: 'CONFIG_WRITABLE_BY_OTHERS'})
  })

  it.each([
    ['{', 'is not JSON'],
    ['[]', 'does not hold contexts'],
    ['{"version":2,"contexts":{}}', 'has version 2'],
    ['{"version":1,"contexts":{"a":[]}}', 'has no settings for context "a"'],
    ['{"version":1,"contexts":{"a":{"clustr":"x"}}}', 'did you mean "cluster"'],
    ['{"version":1,"current":7,"contexts":{}}', 'names no valid current context'],
  ])('%s is refused, saying what is wrong', async (text, message) => {
    await write(text)

    await expect(readContexts(configDir)).rejects.toMatchObject({exitCode: 2, message: expect.stringContaining(message)})
  })

  it('has no context that nobody wrote', async () => {
    await write('{"version":1,"contexts":{}}')

    expect((await readContexts(configDir)).contexts['constructor']).toBeUndefined()
  })

  it('that cannot be written is local I/O', async () => {
    await writeFile(configDir, '')

    await expect(saveContext(configDir, 'one', {})).rejects.toMatchObject({exitCode: 9})
  })
})
