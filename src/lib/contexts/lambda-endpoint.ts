import type {Access} from '../aws/msk.js'
import type {Target} from '../contexts.js'
import {SkkError} from '../errors.js'
import {isLoopbackUrl} from './addresses.js'

/**
 * How to reach the Lambda API of a target: the local stack's own, the context's, AWS_ENDPOINT_URL_LAMBDA, AWS_ENDPOINT_URL, or AWS's.
 * Throws SkkError (usage) when a variable points at this machine and the target does not.
 */
export function lambdaAccess(target: Target, env: NodeJS.ProcessEnv): Access {
  const {region, credentials, timeoutMs, account, endpointUrl} = target
  const access = {region, credentials, timeoutMs}
  if (account.credentials === 'local') return {...access, endpointUrl}
  if (account.endpointUrls?.lambda) return {...access, endpointUrl: account.endpointUrls.lambda}

  const variable = ['AWS_ENDPOINT_URL_LAMBDA', 'AWS_ENDPOINT_URL'].find((name) => env[name])
  const url = variable && env[variable]
  const elsewhere = target.context !== undefined && !(endpointUrl && isLoopbackUrl(endpointUrl))
  if (url && isLoopbackUrl(url) && elsewhere) {
    throw new SkkError(`${variable} points at this machine, but context "${target.context}" does not`, {
      code: 'WORLDS_MIXED',
      exit: 'usage',
      hint: `Run \`unset ${variable}\`, or pass \`--context local\`.`,
    })
  }
  return {...access, endpointUrl: url}
}
