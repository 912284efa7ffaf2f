import {SkkError} from '../errors.js'
import {isLoopback} from './auth.js'
import type {Named} from './errors.js'
import type {Attempt} from './socket.js'

export const IN_THE_VPC = 'MSK Serverless answers only inside its VPC: run there, over a VPN, or through a tunnel with `--via`.'

/** Exit 5: which layer towards which address failed, as the last connection attempts tell it. */
export function unreachable(chain: readonly Error[], target: Named, attempts: readonly Attempt[]): SkkError {
  const attempt = attempts.findLast(({error, layer}) => error !== null || layer !== 'open') ?? attempts.at(-1)
  if (!attempt) return unavailable(`cannot reach "${target.describe}": ${chain.at(-1)!.message}`, IN_THE_VPC, chain)

  const {host, port, address, layer, error} = attempt
  const where = `"${host}:${port}"`
  const at = target.via ? `, through "${target.via}"` : address === null || address === host ? '' : `, ${address}`
  const hint = isLoopback(host)
    ? 'Start the local stack with `skk local start`, or choose a cluster with `--context`.'
    : IN_THE_VPC
  if (target.via && (error?.code === 'ETUNNEL' || layer === 'tunnel')) {
    // The deadline may have come in the middle of a further try.
    const told = error ?? attempts.findLast((earlier) => earlier.error?.code === 'ETUNNEL')?.error
    const message = told?.message ?? `the tunnel "${target.via}" does not answer`
    return unavailable(message, 'Start the tunnel, or correct `--via`.', chain)
  }
  if (error?.code === 'ESPEAKSTLS') return unavailable(`${where} speaks TLS, and this connection does not`, 'Use `--tls`.', chain)
  if (error?.code === 'EFRAME') return unavailable(`${where} does not speak Kafka: ${error.message}`, 'Check the port.', chain)
  switch (layer) {
    case 'dns':
      return unavailable(`cannot find the address of "${host}" (DNS): ${reasonOf(error)}`, hint, chain)
    case 'tcp':
    case 'tunnel':
      return unavailable(`cannot connect to ${where} (TCP${at}): ${reasonOf(error)}`, hint, chain)
    case 'tls':
      return unavailable(
        `no TLS with ${where}${at && ` (${at.slice(2)})`}: ${reasonOf(error)}`,
        tlsHint(error, target.via),
        chain,
      )
    default:
      return silent(where, target, chain)
  }
}

function silent(where: string, target: Named, chain: readonly Error[]): SkkError {
  const closed = chain.some(({name, message}) => name === 'KafkaJSConnectionClosedError' || /closed/i.test(message))
  const what = closed ? 'closed the connection' : 'does not answer'
  const wishes = [
    ...(target.tls ? [] : ['`--tls` if that port speaks TLS']),
    ...(target.auth === 'iam' ? [] : ['`--auth iam` if it asks for a login']),
  ]
  const hint =
    wishes.length > 0 ? `Use ${wishes.join(', ')}; \`skk doctor\` tells more.` : 'Try again, or let `skk doctor` tell more.'
  return unavailable(`${where} ${what}${target.auth === 'iam' ? ' (SASL or Kafka)' : ''}`, hint, chain)
}

const REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'no such name',
  EAI_AGAIN: 'the name server does not answer',
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'no route to network',
  ETIMEDOUT: 'no answer',
  ERR_SSL_WRONG_VERSION_NUMBER: 'the port does not speak TLS',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'the port does not speak TLS',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate comes from an authority that is not trusted here',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate comes from an authority that is not trusted here',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate comes from an authority that is not trusted here',
  CERT_HAS_EXPIRED: 'its certificate has expired',
}

export function reasonOf(error: NodeJS.ErrnoException | null): string {
  if (error === null) return 'no answer'
  // Node tries every address of a name; the last one speaks for all.
  const single = error instanceof AggregateError ? (error.errors.at(-1) as NodeJS.ErrnoException) : error
  return REASONS[single.code ?? ''] ?? single.message
}

function tlsHint(error: NodeJS.ErrnoException | null, via: string | undefined): string {
  const code = error?.code ?? ''
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return via ? 'Check where the tunnel leads.' : 'Use a name that the certificate has.'
  if (code === 'ECONNRESET' && via) return 'Check that the other end of the tunnel reaches the broker.'
  if (/CERT|VERIFY|ISSUER/.test(code)) return 'Name the file with its certificate authority by `--ca`, if you trust it.'
  return 'If the port speaks plaintext, use `--no-tls`.'
}

const unavailable = (message: string, hint: string, [cause]: readonly Error[]): SkkError =>
  new SkkError(message, {code: 'UNREACHABLE', exit: 'unavailable', hint, cause})
