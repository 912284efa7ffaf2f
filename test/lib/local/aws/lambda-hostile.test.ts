import fc from 'fast-check'
import {expect, it, onTestFinished} from 'vitest'

import {AwsError} from '../../../../src/lib/local/aws/error.js'
import {lambdaRoutes} from '../../../../src/lib/local/aws/lambda.js'
import {Functions} from '../../../../src/lib/local/lambda/functions.js'
import {Mappings} from '../../../../src/lib/local/lambda/mappings.js'
import {temporaryDataDir} from '../../../support/stack.js'
import {zipArchive} from '../../../support/zip-archive.js'

const PLACE = {region: 'us-east-1', accountId: '123456789012', delayMs: 0, log: () => {}}
const CLUSTER = 'arn:aws:kafka:us-east-1:123456789012:cluster/c/u-s1'

async function routes() {
  const dataDir = await temporaryDataDir()
  const functions = new Functions({...PLACE, dataDir, stackEnvironment: () => ({})})
  const mappings = new Mappings({...PLACE, dataDir, functions, cluster: () => undefined})
  await functions.load()
  await mappings.load()
  onTestFinished(async () => {
    await mappings.close()
    await functions.close()
  })
  const all = lambdaRoutes({...PLACE, functions, mappings, hasCluster: () => true, ratePerSecond: 1e9})
  return (operation: string, body: object, path: Record<string, string> = {}) =>
    Promise.resolve().then(() =>
      all
        .find(({action}) => action === `lambda:${operation}`)!
        .handle({path, query: new Map(), body: body as never, payload: Buffer.alloc(0), header: () => undefined}),
    )
}

const anything = fc.oneof(
  fc.jsonValue(),
  fc.integer(),
  fc.constantFrom('', '..', '__proto__', 'arn:aws:s3:::a', 'x'.repeat(5000), -1, 1e308, null, [], {}, [null], {Filters: [{}]}),
)

/** A valid body in which some members are anything. */
const spoilt = (valid: Record<string, unknown>) =>
  fc.dictionary(fc.constantFrom(...Object.keys(valid)), anything, {maxKeys: 3}).map((changes) => ({...valid, ...changes}))

const mapping = {
  FunctionName: 'f',
  EventSourceArn: CLUSTER,
  Topics: ['orders'],
  StartingPosition: 'LATEST',
  StartingPositionTimestamp: undefined,
  BatchSize: 1,
  MaximumBatchingWindowInSeconds: 1,
  FilterCriteria: {Filters: [{Pattern: '{}'}]},
  DestinationConfig: {OnFailure: {Destination: 'arn:aws:s3:::failed'}},
  ProvisionedPollerConfig: {},
  AmazonManagedKafkaEventSourceConfig: {ConsumerGroupId: undefined},
  MaximumRetryAttempts: 1,
  MaximumRecordAgeInSeconds: 60,
  BisectBatchOnFunctionError: true,
  FunctionResponseTypes: [],
  MetricsConfig: {},
  LoggingConfig: {},
  SourceAccessConfigurations: [],
  Tags: {},
  Enabled: false,
}

const newFunction = {
  FunctionName: 'g',
  Role: 'arn:aws:iam::123456789012:role/r',
  Runtime: 'nodejs22.x',
  Handler: 'index.handler',
  Code: {ZipFile: zipArchive([{name: 'index.mjs'}]).toString('base64')},
  Description: '',
  Timeout: 1,
  MemorySize: 128,
  Environment: {Variables: {}},
  VpcConfig: {},
  Architectures: ['arm64'],
  Layers: [],
  PackageType: 'Zip',
  Publish: true,
  Tags: {},
}

it.each([
  ['CreateEventSourceMapping', mapping, {}],
  ['UpdateEventSourceMapping', mapping, {UUID: 'none'}],
  ['CreateFunction', newFunction, {}],
  ['UpdateFunctionConfiguration', newFunction, {FunctionName: 'f'}],
  ['UpdateFunctionCode', {ZipFile: '', RevisionId: '', Publish: true, DryRun: false}, {FunctionName: 'f'}],
  ['CreateAlias', {Name: 'a', FunctionVersion: '1', Description: ''}, {FunctionName: 'f'}],
  ['TagResource', {Tags: {}}, {Resource: 'arn:aws:lambda:us-east-1:123456789012:function:f'}],
])('%s answers any body, or refuses it as AWS does', async (operation, valid, path) => {
  const call = await routes()
  await call('CreateFunction', {...newFunction, FunctionName: 'f'})

  await fc.assert(
    fc.asyncProperty(spoilt(valid), async (body) => {
      const answer = await call(operation, body, path).catch((error: unknown) => {
        if (!(error instanceof AwsError)) throw error
        return error
      })

      expect([200, 201, 202, 204, 400, 404, 409]).toContain(answer.status)
    }),
    {numRuns: 200, verbose: true},
  )
})
