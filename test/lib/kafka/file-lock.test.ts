import {mkdtemp, readFile, rm, stat, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {expect, it, onTestFinished} from 'vitest'

import {SkkError} from '../../../src/lib/errors.js'
import {type LockErrors, takeLock} from '../../../src/lib/kafka/file-lock.js'
import {processIdentity} from '../../../src/lib/process-identity.js'

const failure = (message: string): SkkError => new SkkError(message, {code: 'LOCKED', exit: 'conflict'})
const errors: LockErrors = {
  held: (pid) => failure(`held by ${pid}`),
  unwritable: ({code}) => failure(`unwritable: ${code}`),
}

async function place(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'skk-lock-'))
  onTestFinished(() => rm(directory, {recursive: true, force: true}))
  return join(directory, 'lock')
}

it('is for one at a time, private, and gone when it was let go', async () => {
  const path = await place()

  const release = await takeLock(path, errors)
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  await expect(takeLock(path, errors)).rejects.toThrow(`held by ${process.pid}`)
  release()

  await expect(stat(path)).rejects.toMatchObject({code: 'ENOENT'})
})

it.each([
  ['a process that is gone', {pid: 2 ** 30, identity: 'some boot 1'}],
  ['a process whose pid another one has by now', {pid: process.pid, identity: 'some boot 1'}],
  ['nobody', ''],
  ['somebody who wrote something else', process.pid],
  ['no process', {pid: -1, identity: 'unknown'}],
])('is taken over from %s', async (_, content) => {
  const path = await place()
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content))

  await takeLock(path, errors)

  expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({
    pid: process.pid,
    identity: await processIdentity(process.pid),
  })
})

it('that cannot be written says why', async () => {
  await expect(takeLock(`${await place()}/missing/lock`, errors)).rejects.toThrow('unwritable: ENOENT')
})
