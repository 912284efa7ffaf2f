import {SkkError} from '../errors.js'

type AwsError = Error & {
  code?: string
  $metadata?: {httpStatusCode?: number; requestId?: string}
  $response?: {headers?: Record<string, string>}
  cause?: unknown
}

/** What was tried, for the message: an IAM action such as `kafka:CreateClusterV2`, on what, and where. */
export type Attempt = {action: string; resource?: string; endpoint: string}

/**
 * What the AWS SDK throws, as what a person can act on: denied (4), unavailable (5) with the layer that failed, not found (3),
 * conflict (6), refused input (2). Anything else comes back as it was.
 */
export function explainAws(error: unknown, attempt: Attempt): unknown {
  if (error instanceof SkkError) return error
  const failure = error as AwsError
  return (
    clockSkew(failure, attempt) ??
    denied(failure, attempt) ??
    answered(failure, attempt) ??
    unreachable(failure, attempt) ??
    error
  )
}

/** Whether the call may have been carried out although no answer said so. */
export function isAmbiguous(error: unknown): boolean {
  const {$metadata, name, code} = error as AwsError
  const status = $metadata?.httpStatusCode
  if (status !== undefined) return status >= 500
  return (
    name === 'TimeoutError' ||
    name === 'AbortError' ||
    ['ECONNRESET', 'EPIPE', 'ETIMEDOUT'].includes(code ?? causeCode(error) ?? '')
  )
}

export const isThrottled = (error: unknown): boolean =>
  (error as AwsError).$metadata?.httpStatusCode === 429 || /throttl|toomanyrequests/i.test((error as AwsError).name ?? '')

function clockSkew(error: AwsError, {action}: Attempt): SkkError | undefined {
  if (!/skew/i.test(error.name) && !/signature (?:not yet current|expired)/i.test(error.message)) return undefined
  const theirs = Date.parse(error.$response?.headers?.date ?? '')
  const minutes = Math.round((Date.now() - theirs) / 60_000)
  const how = Number.isNaN(minutes) ? 'is wrong' : `is ${Math.abs(minutes)} min ${minutes > 0 ? 'fast' : 'slow'}`
  return new SkkError(`AWS refused ${action}: the clock of this machine ${how}`, {
    code: 'CLOCK_SKEW',
    exit: 'denied',
    hint: 'Set the clock, then run the same command again.',
    cause: error,
  })
}

function denied(error: AwsError, {action, resource}: Attempt): SkkError | undefined {
  const status = error.$metadata?.httpStatusCode
  const byName =
    /accessdenied|forbidden|unauthorized|unrecognizedclient|invalidsignature|signaturedoesnotmatch|invalidclienttoken|expiredtoken|missingauthentication/i
  if (status !== 401 && status !== 403 && !byName.test(error.name)) return undefined

  const [, principal, theirAction, theirResource] =
    /User: (\S+) is not authorized to perform: (\S+?)(?: on resource: (\S+?))?(?: (?:because|with)\b.*)?$/.exec(error.message) ??
    []
  const who = principal ? `"${principal}" may not do` : 'AWS denied'
  const where = theirResource ?? resource
  // A refused signature comes with the whole request, line by line.
  const why = principal ? '' : `: ${error.message.split('\n')[0] || error.name}`
  return new SkkError(`${who} ${theirAction ?? action}${where ? ` on "${where}"` : ''}${why}`, {
    code: 'ACCESS_DENIED',
    exit: 'denied',
    hint: principal
      ? `Ask for a policy that allows ${theirAction ?? action} there.`
      : 'Run `aws sts get-caller-identity` to see who you are, and check the keys, the region and the policy.',
    cause: error,
  })
}

function answered(error: AwsError, {action, resource}: Attempt): SkkError | undefined {
  const status = error.$metadata?.httpStatusCode
  const about = resource ? ` for "${resource}"` : ''
  if (isThrottled(error)) {
    return new SkkError(`AWS throttles ${action}: ${error.message}`, {
      code: 'THROTTLED',
      exit: 'unavailable',
      hint: 'Run the same command again in a minute.',
      cause: error,
    })
  }
  if (status === 404)
    return new SkkError(`AWS knows nothing${about}: ${error.message}`, {code: 'NOT_FOUND', exit: 'notFound', cause: error})
  if (status === 409)
    return new SkkError(`AWS refuses ${action}${about}: ${error.message}`, {code: 'CONFLICT', exit: 'conflict', cause: error})
  if (status === 400)
    return new SkkError(`AWS refuses ${action}${about}: ${error.message}`, {code: 'REFUSED', exit: 'usage', cause: error})
  if (status !== undefined && status >= 500) {
    return new SkkError(`AWS failed in ${action}: ${error.message || error.name}`, {
      code: 'SERVICE_FAILED',
      exit: 'unavailable',
      hint: 'Run the same command again.',
      cause: error,
    })
  }
  return undefined
}

function unreachable(error: AwsError, {endpoint}: Attempt): SkkError | undefined {
  const code = error.code ?? causeCode(error) ?? ''
  const layer = layerOf(code, error)
  if (!layer) return undefined
  const hints: Record<string, string> = {
    DNS: 'Check the region and your network, then run the same command again.',
    TCP: 'Check your network, a proxy or the VPC, then run the same command again.',
    TLS: 'Check which certificate that address presents; NODE_EXTRA_CA_CERTS adds one to trust.',
  }
  return new SkkError(`cannot reach "${endpoint}": ${layer} failed (${code || error.message})`, {
    code: 'UNREACHABLE',
    exit: 'unavailable',
    hint: hints[layer]!,
    cause: error,
  })
}

function layerOf(code: string, {name, message}: AwsError): 'DNS' | 'TCP' | 'TLS' | undefined {
  if (['ENOTFOUND', 'EAI_AGAIN', 'EAI_NODATA'].includes(code)) return 'DNS'
  if (/^(?:ERR_TLS|ERR_SSL|CERT_|DEPTH_|SELF_SIGNED|UNABLE_TO)/.test(code) || code === 'EPROTO') return 'TLS'
  if (/^E(?:CONN|HOST|NET|PIPE|TIMEDOUT)/.test(code) || name === 'TimeoutError' || name === 'AbortError') return 'TCP'
  return /socket hang up/.test(message) ? 'TCP' : undefined
}

/** Node wraps what happened to each address of a name in an AggregateError, and the SDK wraps that. */
function causeCode(error: unknown): string | undefined {
  const {code, cause, errors} = error as {code?: string; cause?: unknown; errors?: unknown[]}
  return code ?? (cause ? causeCode(cause) : errors?.[0] ? causeCode(errors[0]) : undefined)
}
