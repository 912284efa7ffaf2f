import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {afterAll, beforeAll, expect, test} from 'vitest'

import {zipArchive} from '../support/zip-archive.js'
import {installKcat, installPython} from './install.js'
import {eventually, expectSuccess, run} from './processes.js'
import {createTopic, emptyHome, type SkkLocal, startSkkLocal, testCredentials} from './skk.js'

const SOURCE = `export const handler = async (event) => {
  if (event.fail) throw new RangeError('asked to')
  console.log('offsets', Object.values(event.records ?? {}).flat().map(({offset}) => offset).join(' '))
  return {ok: true}
}`

let bin: string
let home: Awaited<ReturnType<typeof emptyHome>>
let local: SkkLocal
let dir: string

beforeAll(async () => {
  await installKcat()
  bin = await installPython()
  home = await emptyHome()
  dir = await mkdtemp(join(tmpdir(), 'skk-lambda-'))
  await writeFile(join(dir, 'f.zip'), zipArchive([{name: 'index.mjs', content: SOURCE}]))
  local = await startSkkLocal()
  await createTopic(local.plaintextBootstrap, 'orders')
})
afterAll(async () => {
  await local?.stop()
  await home?.remove()
  await rm(dir, {recursive: true, force: true})
})

const environment = () => ({...home.env, ...testCredentials, AWS_ENDPOINT_URL_LAMBDA: local.endpoint, AWS_PAGER: ''})

async function aws(...args: string[]): Promise<any> {
  const {stdout} = await expectSuccess(join(bin, 'aws'), ['lambda', ...args, '--output', 'json'], {env: environment()})
  return stdout.toString().trim() === '' ? undefined : JSON.parse(stdout.toString())
}

test('the AWS CLI makes a function and a mapping, kcat feeds it, and both are updated and deleted', async () => {
  const created = await aws(
    ...['create-function', '--function-name', 'made-by-cli', '--runtime', 'nodejs22.x', '--handler', 'index.handler'],
    ...['--role', 'arn:aws:iam::123456789012:role/lambda', '--zip-file', `fileb://${join(dir, 'f.zip')}`],
  )
  await aws('wait', 'function-active-v2', '--function-name', 'made-by-cli')
  const answer = join(dir, 'answer.json')
  const invoked = await aws('invoke', '--function-name', 'made-by-cli', '--log-type', 'Tail', '--payload', '{}', answer)
  const mapping = await aws(
    ...['create-event-source-mapping', '--function-name', 'made-by-cli', '--event-source-arn', local.clusterArn],
    ...['--topics', 'orders', '--starting-position', 'TRIM_HORIZON', '--batch-size', '10'],
  )
  const look = () => aws('get-event-source-mapping', '--uuid', mapping.UUID)
  const input = Array.from({length: 25}, (_, index) => `order ${index}`).join('\n')
  await expectSuccess('kcat', ['-b', local.plaintextBootstrap, '-P', '-t', 'orders'], {input})
  await eventually(async () => (await look()).LastProcessingResult === 'OK')
  const log = () => readFile(join(local.dataDir, 'functions/made-by-cli/log'), 'utf8')
  await eventually(async () => /offsets .*\b24\b/.test(await log()))
  await eventually(async () => (await look()).State === 'Enabled')
  const updated = await aws('update-event-source-mapping', '--uuid', mapping.UUID, '--no-enabled', '--batch-size', '7')
  await eventually(async () => (await look()).State === 'Disabled')
  const deleted = await aws('delete-event-source-mapping', '--uuid', mapping.UUID)
  await aws('delete-function', '--function-name', 'made-by-cli')
  const left = await aws('list-functions')

  expect(created).toMatchObject({State: 'Pending', Handler: 'index.handler'})
  expect(JSON.parse(await readFile(answer, 'utf8'))).toEqual({ok: true})
  expect(Buffer.from(invoked.LogResult, 'base64').toString()).toMatch(/^START RequestId: /m)
  expect(mapping).toMatchObject({State: 'Creating', BatchSize: 10})
  expect(updated).toMatchObject({State: 'Disabling', BatchSize: 7})
  expect(deleted.State).toBe('Deleting')
  expect(left.Functions).toEqual([])
})

test('boto3 gets the errors as its own exception classes', async () => {
  const script = join(import.meta.dirname, 'python/lambda_with_boto3.py')

  const {code, stdout, stderr} = await run(join(bin, 'python'), [script, join(dir, 'f.zip'), local.clusterArn], {
    env: environment(),
  })

  expect({code, stderr}).toMatchObject({code: 0})
  expect(JSON.parse(stdout)).toEqual({
    'function error': ['Unhandled', 'RangeError'],
    created: 'Creating',
    'conflict names it': true,
    'no function': true,
    invalid: true,
    'in use': true,
    pages: [1],
    throttled: [true, ['CallerRateLimitExceeded', '1']],
  })
})

test('a mapping goes on after the stack was killed, and every record arrives', async () => {
  await createTopic(local.plaintextBootstrap, 'killed')
  await aws(
    ...['create-function', '--function-name', 'survivor', '--runtime', 'nodejs22.x', '--handler', 'index.handler'],
    ...['--role', 'arn:aws:iam::123456789012:role/lambda', '--zip-file', `fileb://${join(dir, 'f.zip')}`],
  )
  await aws(
    ...['create-event-source-mapping', '--function-name', 'survivor', '--event-source-arn', local.clusterArn],
    ...['--topics', 'killed', '--starting-position', 'LATEST', '--batch-size', '7'],
  )
  const send = (count: number) =>
    expectSuccess('kcat', ['-b', local.plaintextBootstrap, '-P', '-t', 'killed'], {input: 'x\n'.repeat(count)})
  const seen = async () => {
    const log = await readFile(join(local.dataDir, 'functions/survivor/log'), 'utf8').catch(() => '')
    return new Set([...log.matchAll(/\toffsets (.*)$/gm)].flatMap(([, offsets]) => offsets!.split(' ')))
  }
  await eventually(
    async () =>
      (await aws('list-event-source-mappings', '--function-name', 'survivor')).EventSourceMappings[0].State === 'Enabled',
  )
  await new Promise((resolve) => setTimeout(resolve, 2000))

  await send(500)
  await eventually(async () => (await seen()).size > 50)
  await local.kill()
  await local.restart()
  await send(100)

  await eventually(async () => (await seen()).size === 600)
})
