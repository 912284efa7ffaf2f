import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {dirname, join} from 'node:path'
import {
  CreateAliasCommand,
  CreateFunctionCommand,
  DeleteFunctionCommand,
  GetFunctionCommand,
  GetFunctionConfigurationCommand,
  type InvocationType,
  InvokeCommand,
  type LambdaClient,
  ListFunctionsCommand,
  ListTagsCommand,
  PublishVersionCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateAliasCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
  waitUntilFunctionActiveV2,
  waitUntilFunctionUpdatedV2,
} from '@aws-sdk/client-lambda'
import {describe, expect, it, onTestFinished} from 'vitest'

import {lambdaClient, newFunction, until} from '../../../support/lambda.js'
import {stack, temporaryDataDir} from '../../../support/stack.js'
import {zipArchive} from '../../../support/zip-archive.js'

async function deployed(source: string, extra: Record<string, unknown> = {}, file = 'index.mjs') {
  const local = await stack({lambdaRate: 1000})
  const client = lambdaClient(local)
  await client.send(new CreateFunctionCommand({...newFunction('f', source, {file}), ...extra}))
  await waitUntilFunctionActiveV2({client, maxWaitTime: 10, minDelay: 0.05, maxDelay: 0.1} as never, {FunctionName: 'f'})
  return {local, client}
}

async function invoke(
  client: LambdaClient,
  payload: unknown = {},
  {type, qualifier}: {type?: InvocationType; qualifier?: string} = {},
) {
  const answer = await client.send(
    new InvokeCommand({
      FunctionName: 'f',
      Payload: JSON.stringify(payload),
      LogType: 'Tail',
      ...(type && {InvocationType: type}),
      ...(qualifier !== undefined && {Qualifier: qualifier}),
    }),
  )
  const text = Buffer.from(answer.Payload ?? []).toString()
  return {
    status: answer.StatusCode,
    error: answer.FunctionError,
    version: answer.ExecutedVersion,
    payload: text === '' ? undefined : JSON.parse(text),
    log: Buffer.from(answer.LogResult ?? '', 'base64').toString(),
  }
}

describe('a function', () => {
  it('is Pending, then Active, and answers what its handler returns', async () => {
    const local = await stack({createDelayMs: 300})
    const client = lambdaClient(local)

    const created = await client.send(
      new CreateFunctionCommand(newFunction('f', 'export const handler = async ({a}) => ({sum: a + 1})')),
    )

    expect(created).toMatchObject({State: 'Pending', Timeout: 3, MemorySize: 128, Version: '$LATEST'})
    expect(created.FunctionArn).toBe('arn:aws:lambda:us-east-1:123456789012:function:f')
    await expect(invoke(client)).rejects.toMatchObject({name: 'ResourceConflictException'})
    await waitUntilFunctionActiveV2({client, maxWaitTime: 10, minDelay: 0.1, maxDelay: 0.1} as never, {FunctionName: 'f'})
    expect(await invoke(client, {a: 41})).toMatchObject({status: 200, error: undefined, payload: {sum: 42}, version: '$LATEST'})
  })

  it.each([
    ['CommonJS', 'exports.handler = async () => module.id.length > 0', 'index.cjs'],
    ['CommonJS in .js', 'module.exports = {handler: async () => typeof require === "function"}', 'index.js'],
    ['a callback', 'exports.handler = (event, context, callback) => setTimeout(() => callback(null, true), 5)', 'index.cjs'],
    ['a default export', 'export default {handler: async () => true}', 'index.mjs'],
    ['a synchronous handler', 'export const handler = () => true', 'index.mjs'],
  ])('may be %s', async (_, source, file) => {
    const {client} = await deployed(source, {}, file)

    expect(await invoke(client)).toMatchObject({payload: true, error: undefined})
  })

  it('sees a clean environment, with keys that lead back to the stack', async () => {
    process.env['SKK_TEST_SECRET'] = 'the user has secrets'
    const source = `export const handler = async (event, context) => ({
      env: process.env, left: context.getRemainingTimeInMillis(), context: {...context}, cwd: process.cwd()})`
    const {local, client} = await deployed(source, {Environment: {Variables: {TABLE: 't'}}, Timeout: 30, MemorySize: 256})

    const {payload} = await invoke(client)

    delete process.env['SKK_TEST_SECRET']
    expect(payload.env).toMatchObject({
      TABLE: 't',
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_REGION: 'us-east-1',
      AWS_LAMBDA_FUNCTION_NAME: 'f',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '256',
      AWS_ENDPOINT_URL_KAFKA: local.endpoint,
      AWS_ENDPOINT_URL_LAMBDA: local.endpoint,
      LAMBDA_TASK_ROOT: payload.cwd,
    })
    expect(payload.env).not.toHaveProperty('SKK_TEST_SECRET')
    expect(payload.env).not.toHaveProperty('AWS_ENDPOINT_URL')
    expect(payload.left).toBeGreaterThan(29_000)
    expect(payload.left).toBeLessThanOrEqual(30_000)
    expect(payload.context).toMatchObject({
      functionName: 'f',
      invokedFunctionArn: 'arn:aws:lambda:us-east-1:123456789012:function:f',
      memoryLimitInMB: '256',
    })
  })

  it('starts cold once, stays warm, and runs two invocations at once in two processes', async () => {
    const source = `let count = 0
      export const handler = async ({ms = 0}) => { await new Promise((r) => setTimeout(r, ms)); return {pid: process.pid, count: ++count} }`
    const {client} = await deployed(source)

    const first = await invoke(client)
    const second = await invoke(client)
    const both = await Promise.all([invoke(client, {ms: 300}), invoke(client, {ms: 300})])

    expect(first.log).toMatch(/^REPORT RequestId: .*Init Duration/m)
    expect(second.log).not.toContain('Init Duration')
    expect(second.payload).toEqual({pid: first.payload.pid, count: 2})
    expect(new Set(both.map(({payload}) => payload.pid)).size).toBe(2)
  })

  it('has errors in the shape of AWS', async () => {
    const source = `export const handler = async ({how}) => {
      if (how === 'throw') throw new RangeError('too far')
      if (how === 'string') throw 'just text'
      if (how === 'exit') process.exit(3)
      if (how === 'hang') await new Promise((r) => setTimeout(r, 60_000))
      if (how === 'reject') { Promise.reject(new Error('nobody waits')); await new Promise((r) => setTimeout(r, 60_000)) }
      if (how === 'large') return 'x'.repeat(6_300_000)
      return how
    }`
    const {client} = await deployed(source, {Timeout: 1})
    const failure = async (how: string) => {
      const {error, payload} = await invoke(client, {how})
      return {error, type: payload.errorType, message: payload.errorMessage, trace: payload.trace}
    }

    expect(await failure('throw')).toMatchObject({error: 'Unhandled', type: 'RangeError', message: 'too far'})
    expect((await failure('throw')).trace[0]).toBe('RangeError: too far')
    expect(await failure('string')).toMatchObject({error: 'Unhandled', type: 'string', message: 'just text'})
    expect(await failure('exit')).toMatchObject({
      type: 'Runtime.ExitError',
      message: expect.stringMatching(/^RequestId: \S+ Error: Runtime exited with error: exit status 3$/),
    })
    expect(await failure('hang')).toMatchObject({
      type: 'Sandbox.Timedout',
      message: expect.stringMatching(/^RequestId: \S+ Error: Task timed out after 1\.00 seconds$/),
    })
    expect(await failure('reject')).toMatchObject({type: 'Runtime.UnhandledPromiseRejection', message: 'nobody waits'})
    expect(await failure('large')).toMatchObject({type: 'Function.ResponseSizeTooLarge'})
    expect(await invoke(client, {how: 'fine'})).toMatchObject({error: undefined, payload: 'fine'})
  })

  it.each([
    ['that does not parse', 'export const handler = (', 'Runtime.UserCodeSyntaxError'],
    ['whose import is missing', 'import "no-such-package"', 'Runtime.ImportModuleError'],
    ['without its handler', 'export const other = 1', 'Runtime.HandlerNotFound'],
    ['that throws when it is loaded', 'throw new TypeError("at load")', 'TypeError'],
    ['that exits when it is loaded', 'process.exit(0)', 'Runtime.ExitError'],
  ])('%s fails to start, each time', async (_, source, errorType) => {
    const {client} = await deployed(source)

    for (let attempt = 0; attempt < 2; attempt++) {
      expect(await invoke(client)).toMatchObject({status: 200, error: 'Unhandled', payload: {errorType}})
    }
  })

  it('may use the memory that it has, and no more', async () => {
    const source = `export const handler = async ({mb}) => { const all = []; for (let i = 0; i < mb; i++) all.push(Array.from({length: 131072}, (_, k) => k + 0.5)); return all.length }`
    const {client} = await deployed(source, {MemorySize: 256, Timeout: 30})

    expect(await invoke(client, {mb: 50})).toMatchObject({error: undefined, payload: 50})
    expect(await invoke(client, {mb: 2000})).toMatchObject({
      payload: {errorType: 'Runtime.ExitError', errorMessage: expect.stringMatching(/signal: aborted$/)},
    })
  }, 30_000)

  it('writes what it logs to its file, with the lines of Lambda', async () => {
    const {local, client} = await deployed(
      'export const handler = async () => { console.log("hello", {a: 1}); process.stderr.write("bare\\n") }',
    )

    const {log} = await invoke(client)

    expect(log).toMatch(/^START RequestId: (\S+) Version: \$LATEST$/m)
    expect(log).toMatch(/^\S+Z\t\S+\tINFO\thello \{ a: 1 \}$/m)
    expect(log).toMatch(/^bare$/m)
    expect(log).toMatch(/^END RequestId: \S+$/m)
    const file = () => readFile(join(local.dataDir, 'functions', 'f', 'log'), 'utf8')
    await until(file, (text) => /REPORT/.test(text) && /hello/.test(text))
  })

  it('runs later as an Event, and not at all as a DryRun', async () => {
    const {local, client} = await deployed('export const handler = async ({a}) => console.log("ran", a)')

    expect(await invoke(client, {a: 1}, {type: 'Event'})).toMatchObject({status: 202, payload: undefined})
    expect(await invoke(client, {a: 2}, {type: 'DryRun'})).toMatchObject({status: 204, payload: undefined})

    const text = await until(
      () => readFile(join(local.dataDir, 'functions', 'f', 'log'), 'utf8').catch(() => ''),
      (log) => log.includes('ran 1') && log.includes('REPORT'),
    )
    expect(text).not.toContain('ran 2')
  })

  it('is updated, in its code and its configuration, and each new code starts cold', async () => {
    const {client} = await deployed('export const handler = async () => 1')
    await invoke(client)

    const updated = await client.send(
      new UpdateFunctionCodeCommand({
        FunctionName: 'f',
        ZipFile: zipArchive([{name: 'index.mjs', content: 'export const handler = async () => process.env.A ?? 2'}]),
      }),
    )
    await waitUntilFunctionUpdatedV2({client, maxWaitTime: 10, minDelay: 0.05, maxDelay: 0.1} as never, {FunctionName: 'f'})

    expect(updated.LastUpdateStatus).toBe('InProgress')
    expect((await invoke(client)).payload).toBe(2)
    await client.send(
      new UpdateFunctionConfigurationCommand({FunctionName: 'f', Environment: {Variables: {AB: 'x'}}, Timeout: 9}),
    )
    const configuration = await client.send(new GetFunctionConfigurationCommand({FunctionName: 'f'}))
    expect(configuration).toMatchObject({Timeout: 9, Environment: {Variables: {AB: 'x'}}, Handler: 'index.handler'})
  })

  it('has versions and aliases', async () => {
    const {client} = await deployed('export const handler = async (event, context) => context.functionVersion')
    const published = await client.send(new PublishVersionCommand({FunctionName: 'f'}))
    await client.send(new CreateAliasCommand({FunctionName: 'f', Name: 'live', FunctionVersion: '1'}))

    expect(published).toMatchObject({Version: '1', FunctionArn: expect.stringMatching(/:f:1$/)})
    expect(await invoke(client, {}, {qualifier: 'live'})).toMatchObject({payload: '1', version: '1'})
    await client.send(new UpdateAliasCommand({FunctionName: 'f', Name: 'live', FunctionVersion: '$LATEST'}))
    expect(await invoke(client, {}, {qualifier: 'live'})).toMatchObject({payload: '$LATEST'})
    await expect(invoke(client, {}, {qualifier: 'none'})).rejects.toMatchObject({name: 'ResourceNotFoundException'})
  })

  it('has tags', async () => {
    const {client} = await deployed('export const handler = 1', {Tags: {a: '1', b: '2'}})
    const Resource = 'arn:aws:lambda:us-east-1:123456789012:function:f'

    await client.send(new TagResourceCommand({Resource, Tags: {c: '3'}}))
    await client.send(new UntagResourceCommand({Resource, TagKeys: ['a']}))

    expect((await client.send(new ListTagsCommand({Resource}))).Tags).toEqual({b: '2', c: '3'})
  })

  it('is there after a restart, and gone after its deletion', async () => {
    const dataDir = await temporaryDataDir()
    const before = await stack({dataDir})
    await lambdaClient(before).send(new CreateFunctionCommand(newFunction('f', 'export const handler = async () => 7')))
    await before.stop()

    const client = lambdaClient(await stack({dataDir}))

    expect((await invoke(client)).payload).toBe(7)
    await client.send(new DeleteFunctionCommand({FunctionName: 'f'}))
    await expect(client.send(new GetFunctionCommand({FunctionName: 'f'}))).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
      message: 'Function not found: arn:aws:lambda:us-east-1:123456789012:function:f',
    })
    expect((await client.send(new ListFunctionsCommand())).Functions).toEqual([])
  })

  it.each([
    ['that exists', {}, 'ResourceConflictException', 'Function already exist: f'],
    [
      'with a timeout of 901 s',
      {FunctionName: 'g', Timeout: 901},
      'InvalidParameterValueException',
      /'timeout'.*less than or equal to 900/,
    ],
    [
      'with 64 MB',
      {FunctionName: 'g', MemorySize: 64},
      'InvalidParameterValueException',
      /'memorySize'.*greater than or equal to 128/,
    ],
    [
      'with the runtime of another language',
      {FunctionName: 'g', Runtime: 'python3.13'},
      'InvalidParameterValueException',
      /runtime/,
    ],
    ['with a role that is none', {FunctionName: 'g', Role: 'admin'}, 'InvalidParameterValueException', /'role'/],
    [
      'with what is no zip',
      {FunctionName: 'g', Code: {ZipFile: Buffer.from('x')}},
      'InvalidParameterValueException',
      /Could not unzip uploaded file/,
    ],
    [
      'with a reserved variable',
      {FunctionName: 'g', Environment: {Variables: {AWS_REGION: 'x'}}},
      'InvalidParameterValueException',
      /reserved keys.*AWS_REGION/,
    ],
    ['with a name that is a path', {FunctionName: '../g'}, 'InvalidParameterValueException', /name/],
  ])('%s is not created', async (_, change, name, message) => {
    const {client} = await deployed('export const handler = 1')

    const attempt = client.send(new CreateFunctionCommand({...newFunction('f', ''), ...(change as object)}))

    await expect(attempt).rejects.toMatchObject({
      name,
      message: typeof message === 'string' ? message : expect.stringMatching(message),
    })
    expect((await client.send(new ListFunctionsCommand())).Functions).toHaveLength(1)
  })

  it('created many times at once is created once', async () => {
    const client = lambdaClient(await stack({lambdaRate: 1000}))

    const answers = await Promise.allSettled(
      Array.from({length: 5}, () => client.send(new CreateFunctionCommand(newFunction('f', 'export const handler = 1')))),
    )

    const refusals = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason.name] : []))
    expect(refusals).toEqual(Array(4).fill('ResourceConflictException'))
  })

  it('of 40 MB is taken', async () => {
    const {client} = await deployed('export const handler = async () => 1')
    const big = zipArchive([
      {name: 'index.mjs', content: 'export const handler = async () => 2'},
      {name: 'big', content: Buffer.alloc(40_000_000, 7), stored: true},
    ])

    await client.send(new UpdateFunctionCodeCommand({FunctionName: 'f', ZipFile: big}))

    expect((await invoke(client)).payload).toBe(2)
  })
})

describe('the control plane', () => {
  it('throttles what goes beyond its rate, with Retry-After and a Reason', async () => {
    const client = lambdaClient(await stack({lambdaRate: 5}))

    const answers = await Promise.allSettled(Array.from({length: 20}, () => client.send(new ListFunctionsCommand())))

    const refused = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason] : []))
    expect(refused.length).toBeGreaterThanOrEqual(13)
    expect(refused.length).toBeLessThanOrEqual(15)
    expect(refused[0]).toMatchObject({
      name: 'TooManyRequestsException',
      message: 'Rate exceeded',
      Reason: 'CallerRateLimitExceeded',
      retryAfterSeconds: '1',
      $metadata: {httpStatusCode: 429},
    })
  })
})

describe('with a policy', () => {
  it('a key does what it may, on the functions that it may', async () => {
    const file = join(await mkdtemp(join(tmpdir(), 'skk-iam-')), 'iam.json')
    onTestFinished(() => rm(dirname(file), {recursive: true}))
    const policy = {
      Version: '2012-10-17',
      Statement: [
        {Effect: 'Allow', Action: ['lambda:CreateFunction', 'lambda:ListFunctions'], Resource: '*'},
        {Effect: 'Allow', Action: 'lambda:GetFunction', Resource: 'arn:aws:lambda:us-east-1:123456789012:function:f'},
      ],
    }
    const principal = {name: 'deployer', accessKeyId: 'DEPLOYER', secretAccessKey: 's', policy}
    await writeFile(file, JSON.stringify({principals: [principal]}), {mode: 0o600})
    const local = await stack({iamFile: file})
    const client = lambdaClient(local)
    for (const name of ['f', 'g']) await client.send(new CreateFunctionCommand(newFunction(name, 'export const handler = 1')))

    const get = (FunctionName: string) => client.send(new GetFunctionCommand({FunctionName}))

    expect((await get('f')).Configuration?.FunctionName).toBe('f')
    await expect(get('g')).rejects.toMatchObject({
      name: 'AccessDeniedException',
      message: expect.stringContaining('lambda:GetFunction on resource: arn:aws:lambda:us-east-1:123456789012:function:g'),
    })
    await expect(client.send(new InvokeCommand({FunctionName: 'f'}))).rejects.toMatchObject({name: 'AccessDeniedException'})
    expect(local.lines.join('\n')).toContain('denied')
  })
})
