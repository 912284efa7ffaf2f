import {type FunctionRecord, type FunctionVersion, parseReference} from '../lambda/function-record.js'
import type {Functions} from '../lambda/functions.js'
import type {Mappings} from '../lambda/mappings.js'
import * as functionHandlers from './lambda-functions.js'
import {invalidParameter, readTags} from './lambda-input.js'
import {invoke} from './lambda-invoke.js'
import * as mappingHandlers from './lambda-mappings.js'
import {rateLimit} from './lambda-rate.js'
import * as versionHandlers from './lambda-versions.js'
import type {AwsRequest, AwsResponse, Route} from './server.js'

export type LambdaOptions = {
  functions: Functions
  mappings: Mappings
  hasCluster(arn: string): boolean
  region: string
  accountId: string
  /** Requests a second of the control plane, GetFunction and Invoke excepted. */
  ratePerSecond: number
}

type Named = {record: FunctionRecord; version: FunctionVersion; qualifier: string | undefined}

/** GetFunction has a limit of its own, whatever that of the rest (Lambda quotas). */
const GET_FUNCTION_PER_SECOND = 100
/** A 50 MB package in base64; the number is that in Lambda's own message. */
const MAX_CODE_BYTES = 70_167_211
const MAX_PAYLOAD_BYTES = 6 * 1024 * 1024 + 1024

const FUNCTIONS = '/2015-03-31/functions'
const FUNCTION = `${FUNCTIONS}/{FunctionName}`
const MAPPINGS = '/2015-03-31/event-source-mappings'
const MAPPING = `${MAPPINGS}/{UUID}`

/** The routes of the Lambda API. */
export function lambdaRoutes({ratePerSecond, ...place}: LambdaOptions): Route[] {
  const {functions, mappings, region, accountId} = place
  const limitControl = rateLimit(ratePerSecond)
  const limitGetFunction = rateLimit(GET_FUNCTION_PER_SECOND)

  const route = (
    method: Route['method'],
    path: string,
    operation: string,
    handle: Route['handle'],
    {limit = limitControl, ...rest}: Partial<Route> & {limit?: () => void} = {},
  ): Route => ({
    method,
    path,
    service: 'lambda',
    action: `lambda:${operation}`,
    ...rest,
    handle: (request) => {
      limit()
      return handle(request)
    },
  })
  const functionArn = ({path}: AwsRequest): string => {
    const reference = parseReference(path['FunctionName']!, place)
    return reference ? `arn:aws:lambda:${region}:${accountId}:function:${reference.name}` : '*'
  }
  const onFunction = (
    method: Route['method'],
    path: string,
    operation: string,
    handle: (named: Named, request: AwsRequest) => AwsResponse | Promise<AwsResponse>,
    rest: Partial<Route> & {limit?: () => void} = {},
  ): Route =>
    route(
      method,
      path,
      operation,
      (request) =>
        handle(
          functionHandlers.findFunction(functions, request.path['FunctionName']!, place, request.query.get('Qualifier')?.[0]),
          request,
        ),
      {resource: functionArn, ...rest},
    )
  const {createFunction, updateCode, updateConfiguration, getFunction, listFunctions, deleteFunction, configuration} =
    functionHandlers
  const {publishVersion, listVersions, createAlias, updateAlias, getAlias, listAliases, deleteAlias} = versionHandlers
  const create: Route['handle'] = (request) => createFunction(functions, request)
  const list: Route['handle'] = (request) => listFunctions(functions, request)
  return [
    route('POST', FUNCTIONS, 'CreateFunction', create, {maxBodyBytes: MAX_CODE_BYTES}),
    route('GET', FUNCTIONS, 'ListFunctions', list),
    // Older SDKs end it with a slash.
    route('GET', `${FUNCTIONS}/`, 'ListFunctions', list),
    onFunction('GET', FUNCTION, 'GetFunction', ({record, version, qualifier}) => getFunction(record, version, qualifier), {
      limit: limitGetFunction,
    }),
    onFunction('GET', `${FUNCTION}/configuration`, 'GetFunctionConfiguration', ({record, version, qualifier}) => {
      return {status: 200, body: configuration(record, version, qualifier)}
    }),
    onFunction('DELETE', FUNCTION, 'DeleteFunction', ({record, qualifier}) => deleteFunction(functions, record, qualifier)),
    onFunction('PUT', `${FUNCTION}/code`, 'UpdateFunctionCode', ({record}, request) => updateCode(functions, record, request), {
      maxBodyBytes: MAX_CODE_BYTES,
    }),
    onFunction('PUT', `${FUNCTION}/configuration`, 'UpdateFunctionConfiguration', ({record}, request) =>
      updateConfiguration(functions, record, request),
    ),
    onFunction('POST', `${FUNCTION}/versions`, 'PublishVersion', ({record}, request) =>
      publishVersion(functions, record, request),
    ),
    onFunction('GET', `${FUNCTION}/versions`, 'ListVersionsByFunction', ({record}, request) => listVersions(record, request)),
    onFunction('POST', `${FUNCTION}/aliases`, 'CreateAlias', ({record}, request) => createAlias(functions, record, request)),
    onFunction('GET', `${FUNCTION}/aliases`, 'ListAliases', ({record}, request) => listAliases(record, request)),
    onFunction('GET', `${FUNCTION}/aliases/{Name}`, 'GetAlias', ({record}, request) => getAlias(record, request)),
    onFunction('PUT', `${FUNCTION}/aliases/{Name}`, 'UpdateAlias', ({record}, request) =>
      updateAlias(functions, record, request),
    ),
    onFunction('DELETE', `${FUNCTION}/aliases/{Name}`, 'DeleteAlias', ({record}, request) =>
      deleteAlias(functions, record, request),
    ),
    onFunction('POST', `${FUNCTION}/invocations`, 'InvokeFunction', (named, request) => invoke(functions, named, request), {
      limit: () => {},
      passesThrough: true,
      maxBodyBytes: MAX_PAYLOAD_BYTES,
    }),
    ...mappingRoutes(),
    ...tagRoutes(),
  ]

  function mappingRoutes(): Route[] {
    const {createMapping, listMappings, getMapping, updateMapping, deleteMapping} = mappingHandlers
    const resource = ({path}: AwsRequest) => `arn:aws:lambda:${region}:${accountId}:event-source-mapping:${path['UUID']}`
    const list: Route['handle'] = (request) => listMappings(place, request)
    return [
      route('POST', MAPPINGS, 'CreateEventSourceMapping', (request) => createMapping(place, request)),
      route('POST', `${MAPPINGS}/`, 'CreateEventSourceMapping', (request) => createMapping(place, request)),
      route('GET', MAPPINGS, 'ListEventSourceMappings', list),
      route('GET', `${MAPPINGS}/`, 'ListEventSourceMappings', list),
      route('GET', MAPPING, 'GetEventSourceMapping', (request) => getMapping(mappings, request), {resource}),
      route('PUT', MAPPING, 'UpdateEventSourceMapping', (request) => updateMapping(place, request), {resource}),
      route('DELETE', MAPPING, 'DeleteEventSourceMapping', (request) => deleteMapping(mappings, request), {resource}),
    ]
  }

  function tagRoutes(): Route[] {
    const path = '/2017-03-31/tags/{Resource}'
    const resource = ({path: {Resource}}: AwsRequest) => Resource!
    const find = (request: AwsRequest) => taggable(request.path['Resource']!)
    return [
      route('GET', path, 'ListTags', (request) => ({status: 200, body: {Tags: find(request).tags}}), {resource}),
      route(
        'POST',
        path,
        'TagResource',
        async (request) => {
          const found = find(request)
          await found.save(readTags(request.body, found.tags))
          return {status: 204}
        },
        {resource},
      ),
      route(
        'DELETE',
        path,
        'UntagResource',
        async (request) => {
          const found = find(request)
          const keys = request.query.get('tagKeys') ?? []
          if (keys.length === 0) throw invalidParameter('tagKeys is missing.')
          await found.save(Object.fromEntries(Object.entries(found.tags).filter(([key]) => !keys.includes(key))))
          return {status: 204}
        },
        {resource},
      ),
    ]
  }

  function taggable(arn: string): {tags: Record<string, string>; save(tags: Record<string, string>): Promise<void>} {
    const uuid = /^arn:aws:lambda:[^:]+:\d{12}:event-source-mapping:(.+)$/.exec(arn)?.[1]
    if (uuid !== undefined) {
      const mapping = mappingHandlers.findMapping(mappings, uuid)
      return {tags: mapping.tags, save: (tags) => mappings.setTags(mapping, tags)}
    }
    const {record, qualifier} = functionHandlers.findFunction(functions, arn, place)
    if (qualifier !== undefined) throw invalidParameter('Tags on function aliases and versions are not supported.')
    return {
      tags: record.tags,
      save: (tags) => {
        record.tags = tags
        return functions.save(record)
      },
    }
  }
}
