/**
 * What runs in a sandbox: the Lambda Runtime API's client (2018-06-01) for Node handlers, as AWS documents it.
 * It is started with the path of the code in LAMBDA_TASK_ROOT and the handler in _HANDLER, and knows nothing of skk.
 */
import {existsSync} from 'node:fs'
import {Agent, request} from 'node:http'
import {join} from 'node:path'
import {pathToFileURL} from 'node:url'
import {format} from 'node:util'

const {AWS_LAMBDA_RUNTIME_API, LAMBDA_TASK_ROOT, _HANDLER} = process.env
const [host, port] = AWS_LAMBDA_RUNTIME_API.split(':')
const agent = new Agent({keepAlive: true, maxSockets: 1})
let requestId = ''

function call(method, path, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const options = {host, port, method, path: `/2018-06-01/runtime/${path}`, agent, headers}
    const sent = request(options, (response) => {
      const chunks = []
      response.on('data', (chunk) => chunks.push(chunk))
      response.on('end', () => resolve({status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks)}))
      response.on('error', reject)
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

/** AWS's log format: time, request id, level, message, on one line for whoever reads lines. */
function patchConsole() {
  const levels = {log: 'INFO', info: 'INFO', warn: 'WARN', error: 'ERROR', debug: 'DEBUG', trace: 'TRACE'}
  for (const [method, level] of Object.entries(levels)) {
    console[method] = (...args) => {
      const message = format(...args).replaceAll('\n', '\r')
      process.stdout.write(`${new Date().toISOString()}\t${requestId}\t${level}\t${message}\n`)
    }
  }
}

function describe(error) {
  if (!(error instanceof Error) && !(error && typeof error === 'object' && 'message' in error)) {
    return {errorType: typeof error, errorMessage: String(error), trace: []}
  }
  return {
    errorType: error.name ?? 'Error',
    errorMessage: error.message,
    trace: (error.stack ?? '').split('\n'),
  }
}

async function fail(path, failure) {
  const headers = {'content-type': 'application/json', 'lambda-runtime-function-error-type': failure.errorType}
  await call('POST', path, JSON.stringify(failure), headers)
}

const initError = (errorType, errorMessage) => Object.assign(new Error(errorMessage), {name: errorType})

/** `dir/file.export`, of which the file ends in .mjs, .cjs or .js. */
async function loadHandler() {
  const [, file, name] = /^(.*?[^/]*?)\.([^/]+)$/.exec(_HANDLER) ?? []
  if (!file || file.split('/').includes('..')) throw initError('Runtime.MalformedHandlerName', 'Bad handler')
  const path = ['.js', '.mjs', '.cjs'].map((extension) => join(LAMBDA_TASK_ROOT, file + extension)).find(existsSync)
  if (!path) throw initError('Runtime.ImportModuleError', `Error: Cannot find module '${file}'`)
  const module = await import(pathToFileURL(path).href).catch((error) => {
    if (error instanceof SyntaxError) throw initError('Runtime.UserCodeSyntaxError', String(error))
    if (['MODULE_NOT_FOUND', 'ERR_MODULE_NOT_FOUND'].includes(error?.code))
      throw initError('Runtime.ImportModuleError', String(error))
    throw error
  })
  // A CommonJS export that Node's lexer does not see is on `default`.
  const handler = [module, module.default].map((from) => name.split('.').reduce((value, key) => value?.[key], from)).find(Boolean)
  if (handler === undefined) throw initError('Runtime.HandlerNotFound', `${_HANDLER} is undefined or not exported`)
  if (typeof handler !== 'function') throw initError('Runtime.HandlerNotFound', `${_HANDLER} is not a function`)
  return handler
}

function contextOf(headers) {
  const deadline = Number(headers['lambda-runtime-deadline-ms'])
  const header = (name) => (headers[name] === undefined ? undefined : JSON.parse(headers[name]))
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: header('lambda-runtime-client-context'),
    identity: header('lambda-runtime-cognito-identity'),
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    awsRequestId: headers['lambda-runtime-aws-request-id'],
    getRemainingTimeInMillis: () => deadline - Date.now(),
  }
}

/** A handler is async, or it takes a callback; Node 24's runtime dropped the latter, the older ones have it. */
function run(handler, event, context) {
  return new Promise((resolve, reject) => {
    const callback = (error, result) => (error ? reject(error) : resolve(result))
    const returned = handler(event, context, callback)
    if (typeof returned?.then === 'function') returned.then(resolve, reject)
    else if (handler.length < 3) resolve(returned)
  })
}

async function serveOne(handler) {
  const {headers, body} = await call('GET', 'invocation/next')
  requestId = headers['lambda-runtime-aws-request-id']
  process.env._X_AMZN_TRACE_ID = headers['lambda-runtime-trace-id'] ?? ''
  try {
    const result = await run(handler, JSON.parse(body.toString()), contextOf(headers))
    const text = JSON.stringify(result)
    const {status} = await call('POST', `invocation/${requestId}/response`, text ?? 'null', {'content-type': 'application/json'})
    if (status === 413) {
      const message = `Response payload size (${Buffer.byteLength(text)} bytes) exceeded maximum allowed payload size (6291556 bytes).`
      await fail(`invocation/${requestId}/error`, {errorType: 'Function.ResponseSizeTooLarge', errorMessage: message})
    }
  } catch (error) {
    const failure = describe(error)
    console.error('Invoke Error', JSON.stringify(failure))
    await fail(`invocation/${requestId}/error`, failure)
  }
}

/** Nobody is left who could be told; the stack sees the exit. */
async function die(errorType, error) {
  const failure = {...describe(error), errorType}
  console.error(errorType, JSON.stringify(failure))
  if (requestId) await fail(`invocation/${requestId}/error`, failure).catch(() => {})
  process.exit(128)
}

patchConsole()
process.on('uncaughtException', (error) => void die('Runtime.UncaughtException', error))
process.on('unhandledRejection', (error) => void die('Runtime.UnhandledPromiseRejection', error))

let handler
try {
  handler = await loadHandler()
} catch (error) {
  const failure = describe(error)
  console.error('Uncaught Exception', JSON.stringify(failure))
  await fail('init/error', failure).catch(() => {})
  process.exit(1)
}
// The stack is gone when nobody answers, and so is the sandbox.
for (;;) await serveOne(handler).catch(() => process.exit(1))
