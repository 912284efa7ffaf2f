import {SkkError} from '../../errors.js'
import {bearerMessage, isLoopback, tokenFor} from '../auth.js'
import {Reader, Writer} from '../wire.js'
import {addressOf, denial, type Finding, fault, type Place, regionOfName} from './check.js'
import {clockSkewMs} from './clock.js'
import type {Exchange} from './exchange.js'

const MECHANISM = 'OAUTHBEARER'

/** AWS accepts five minutes; a broker that refuses somebody who is out by more than two probably does so for that. */
const SKEW_MS = 2 * 60_000

/**
 * Logs in as the commands do. `endpoint` is an HTTP address whose answers tell the time. Throws SkkError with the one most
 * likely cause of a refusal.
 */
export async function logIn(place: Place, exchange: Exchange, endpoint: string | undefined): Promise<Finding> {
  await chooseMechanism(place, exchange)
  const token = await tokenFor(place.host, place.target)
  const answer = new Reader(await exchange.ask(36, 1, new Writer().bytes(bearerMessage(token)).finish()))
  const [errorCode, text] = [answer.int16(), answer.nullableString()]
  const {accessKeyId} = await place.target.credentials()
  if (errorCode !== 0) {
    // MSK puts the id of the attempt in front: "[8a06…]: Access denied".
    const reason = text?.replace(/^\[[^\]]*\]: /, '') ?? `error ${errorCode}`
    throw await refusal(place, {reason, key: shorten(accessKeyId)}, endpoint)
  }
  answer.bytes()
  return {detail: `access key "${shorten(accessKeyId)}" may connect, for ${Math.round(answer.int64() / 60_000)} min`}
}

async function chooseMechanism(place: Place, exchange: Exchange): Promise<void> {
  const answer = new Reader(await exchange.ask(17, 1, new Writer().string(MECHANISM).finish()))
  const [errorCode, offered] = [answer.int16(), answer.array(() => answer.string())]
  if (errorCode === 0) return
  const where = `"${addressOf(place)}"`
  if (offered.length === 0) throw denial(`${where} takes no login`, 'Use `--auth none`.')
  throw denial(
    `${where} takes a login by ${offered.join(', ')}, not by ${MECHANISM}`,
    'Use its port for IAM, which is 9098 on MSK.',
  )
}

async function refusal(
  place: Place,
  {reason, key}: {reason: string; key: string},
  endpoint: string | undefined,
): Promise<SkkError> {
  const {host, target} = place
  const where = `"${addressOf(place)}"`
  const region = regionOfName(host)
  if (region !== undefined && region !== target.region)
    return denial(
      `the login is signed for region "${target.region}", and ${where} is in "${region}"`,
      `Pass \`--region ${region}\`.`,
    )
  if (/hostname verification/i.test(reason))
    return denial(
      `${where} refuses a login that is signed for region "${target.region}"`,
      'Pass the region of the cluster by `--region`.',
    )
  if (/too many connect/i.test(reason))
    return fault(`${where} has too many connections`, 'Wait a minute, then run the same command again.')

  const skew = endpoint === undefined ? undefined : await clockSkewMs(endpoint)
  if (skew !== undefined && Math.abs(skew) > SKEW_MS) {
    const minutes = Math.round(Math.abs(skew) / 60_000)
    return new SkkError(
      `the clock of this machine is ${minutes} min ${skew > 0 ? 'fast' : 'slow'}, so ${where} refuses its logins`,
      {
        code: 'CLOCK_SKEW',
        exit: 'denied',
        hint: 'Set the clock, then run the same command again.',
      },
    )
  }
  const message = `${where} refuses access key "${key}": ${reason}`
  if (isLoopback(host)) return denial(message, 'Take the keys that `skk local env` prints, or correct those of its `--iam` file.')
  const cluster = target.clusterArn ?? `arn:aws:kafka:${target.region ?? '*'}:*:cluster/*/*`
  return denial(
    message,
    `Let the identity that \`aws sts get-caller-identity\` names do kafka-cluster:Connect on ${cluster}, and check its secret key.`,
  )
}

/** Enough to recognise a key by. */
const shorten = (accessKeyId: string): string => (/^A[KS]IA/.test(accessKeyId) ? `…${accessKeyId.slice(-4)}` : accessKeyId)
