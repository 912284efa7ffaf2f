import {mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile} from 'node:fs/promises'
import {createServer} from 'node:net'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {Kafka, logLevel} from 'kafkajs'
import {describe, expect, it, onTestFinished} from 'vitest'

import {runningStack} from '../../../src/lib/local/control.js'
import {claimDataDir, resetDataDir} from '../../../src/lib/local/data-dir.js'
import {renderEnv} from '../../../src/lib/local/env.js'
import {stack, temporaryDataDir} from '../../support/stack.js'

const kafka = (bootstrap: string): Kafka => new Kafka({brokers: [bootstrap], logLevel: logLevel.NOTHING})

async function produce(bootstrap: string, topic: string, values: readonly string[]): Promise<void> {
  const admin = kafka(bootstrap).admin()
  await admin.connect()
  await admin.createTopics({topics: [{topic, numPartitions: 2}]})
  await admin.disconnect()
  const producer = kafka(bootstrap).producer({idempotent: true, maxInFlightRequests: 1})
  await producer.connect()
  await producer.send({topic, messages: values.map((value) => ({value}))})
  await producer.disconnect()
}

async function count(bootstrap: string, topic: string): Promise<number> {
  const admin = kafka(bootstrap).admin()
  await admin.connect()
  const offsets = await admin.fetchTopicOffsets(topic)
  await admin.disconnect()
  return offsets.reduce((sum, {high, low}) => sum + Number(high) - Number(low), 0)
}

describe('a data directory', () => {
  it('keeps topics, records and the cluster over a restart', async () => {
    const dataDir = await temporaryDataDir()
    const first = await stack({dataDir})
    await produce(first.plaintextBootstrap!, 'orders', ['a', 'b', 'c'])
    await first.stop()

    const second = await stack({dataDir})

    expect(second.clusterArn).toBe(first.clusterArn)
    expect(await count(second.plaintextBootstrap!, 'orders')).toBe(3)
  })

  it('belongs to one stack at a time', async () => {
    const dataDir = await temporaryDataDir()
    await stack({dataDir})

    await expect(stack({dataDir})).rejects.toMatchObject({code: 'DATA_DIR_IN_USE', exitCode: 6})
  })

  it('is taken over from a process that is gone, even if its pid lives on', async () => {
    const dataDir = await temporaryDataDir()
    const first = await stack({dataDir})
    await first.stop()
    await writeFile(join(dataDir, 'lock'), JSON.stringify({pid: process.pid, identity: 'an earlier process'}))

    const second = await stack({dataDir})

    expect((await runningStack(dataDir))?.pid).toBe(second.pid)
  })

  it.each([
    ['fresh', undefined],
    ['left by a process that is gone', JSON.stringify({pid: process.pid, identity: 'an earlier process'})],
    ['left half-made', ''],
  ])('is claimed by one of many at the same time: %s', async (_, lock) => {
    for (let round = 0; round < 3; round++) {
      const dataDir = await temporaryDataDir()
      await mkdir(dataDir, {recursive: true})
      if (lock !== undefined) await writeFile(join(dataDir, 'lock'), lock)

      const claims = await Promise.allSettled(Array.from({length: 8}, () => claimDataDir(dataDir)))

      const refusals = claims.flatMap((claim) => (claim.status === 'rejected' ? [claim.reason.code] : []))
      expect(refusals).toEqual(Array(7).fill('DATA_DIR_IN_USE'))
      expect((await readdir(dataDir)).sort()).toEqual(['lock', 'meta.json'])
    }
  })

  it('holds secrets that only its user reads', async () => {
    const {dataDir} = await stack()

    expect((await stat(dataDir)).mode & 0o777).toBe(0o700)
    expect((await stat(join(dataDir, 'stack.json'))).mode & 0o777).toBe(0o600)
  })

  it('is never one that holds something else', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'skk-foreign-'))
    onTestFinished(() => rm(dataDir, {recursive: true}))
    await writeFile(join(dataDir, 'thesis.tex'), 'years of work')

    await expect(stack({dataDir})).rejects.toMatchObject({code: 'DATA_DIR_FOREIGN', exitCode: 6})
    await expect(resetDataDir(dataDir)).rejects.toMatchObject({code: 'DATA_DIR_FOREIGN'})
    expect(await readFile(join(dataDir, 'thesis.tex'), 'utf8')).toBe('years of work')
  })

  it('is not reset through a symbolic link', async () => {
    const {dataDir, stop} = await stack()
    await stop()
    const link = `${dataDir}-link`
    await symlink(dataDir, link)

    await expect(resetDataDir(link)).rejects.toMatchObject({code: 'DATA_DIR_FOREIGN'})
    expect((await stat(join(dataDir, 'meta.json'))).isFile()).toBe(true)
  })

  it('is gone after a reset', async () => {
    const {dataDir, stop} = await stack()
    await stop()

    await resetDataDir(dataDir)

    await expect(stat(dataDir)).rejects.toMatchObject({code: 'ENOENT'})
  })

  it('of another format is left alone', async () => {
    const {dataDir, stop} = await stack()
    await stop()
    await writeFile(join(dataDir, 'meta.json'), '{"format": 99}')

    await expect(stack({dataDir})).rejects.toMatchObject({code: 'DATA_DIR_FORMAT', exitCode: 6})
  })
})

describe('ports', () => {
  it('that may move do so when they are taken, others are a conflict', async () => {
    const holder = createServer()
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void holder.close())
    const {port} = holder.address() as {port: number}

    const moved = await stack({port: {wanted: port, mayMove: true}})

    expect(moved.bootstrap).not.toBe(`127.0.0.1:${port}`)
    await expect(stack({port: {wanted: port, mayMove: false}})).rejects.toMatchObject({code: 'PORT_TAKEN', exitCode: 6})
    await expect(stack({httpPort: {wanted: port, mayMove: false}})).rejects.toMatchObject({code: 'PORT_TAKEN'})
  })

  it('are on loopback only', async () => {
    const {bootstrap, plaintextBootstrap, endpoint} = await stack()

    expect([bootstrap, plaintextBootstrap, endpoint.replace('http://', '')]).toSatisfy((all: string[]) =>
      all.every((address) => address.startsWith('127.0.0.1:')),
    )
  })
})

describe('with a file of identities', () => {
  it('the key test/test is unknown', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'skk-iam-'))
    onTestFinished(() => rm(dir, {recursive: true}))
    const iamFile = join(dir, 'team.json')
    const policy = {Version: '2012-10-17', Statement: [{Effect: 'Allow', Action: '*', Resource: '*'}]}
    const principals = [{name: 'ann', accessKeyId: 'ANN', secretAccessKey: 'secret-of-ann', policy}]
    await writeFile(iamFile, JSON.stringify({principals}), {mode: 0o600})

    const local = await stack({iamFile})

    expect(local).toMatchObject({accessKeyId: 'ANN', secretAccessKey: 'secret-of-ann'})
  })
})

describe('what other tools are told', () => {
  it('redirects MSK and Lambda, and no other service of AWS', async () => {
    const text = renderEnv(await stack(), 'shell')

    expect(text).toContain('export AWS_ENDPOINT_URL_KAFKA=http://127.0.0.1:')
    expect(text).not.toMatch(/AWS_ENDPOINT_URL=/)
  })

  it('has nothing for kcat without a plaintext port', async () => {
    const local = await stack({plaintextPort: undefined})

    expect(() => renderEnv(local, 'kcat')).toThrow('no plaintext port')
  })

  it('lets Java use TLS with the authority of the stack', async () => {
    const local = await stack({tls: true})

    expect(renderEnv(local, 'properties')).toMatch(/security\.protocol=SASL_SSL[\s\S]*ssl\.truststore\.location=.*ca\.pem/)
  })
})
