import type {Broker} from '../broker.js'
import type {Connection} from '../connection.js'
import type {SaslAuthenticateRequest, SaslAuthenticateResponse} from '../messages.js'
import {AuthenticationError, authenticate, type Session} from '../sasl.js'
import {ProtocolError} from '../wire.js'
import type {Api} from './api.js'
import {ERROR} from './error-codes.js'

/**
 * SaslAuthenticate v0-2: one token, verified; both mechanisms are client-first and done in one step.
 *
 * - v1: session lifetime, after which the client authenticates again on the same connection (KIP-368)
 * - v2: flexible
 */
export const saslAuthenticate: Api<SaslAuthenticateRequest, SaslAuthenticateResponse> = {
  key: 36,
  versions: [0, 2],
  handle({authBytes}, {broker, connection}) {
    if (connection.mechanism === undefined) {
      return {errorCode: ERROR.illegalSaslState, errorMessage: 'SaslHandshake first', authBytes: Buffer.alloc(0)}
    }
    try {
      const {replyBytes, expiresAt} = admit(authBytes, broker, connection)
      return {errorCode: ERROR.none, errorMessage: null, authBytes: replyBytes, sessionLifetimeMs: expiresAt - Date.now()}
    } catch (error) {
      if (!(error instanceof AuthenticationError)) throw error
      broker.log(`authentication failed from ${connection.remoteAddress}: ${error.message}: ${error.reason}`)
      connection.refused = true
      return {errorCode: ERROR.saslAuthenticationFailed, errorMessage: error.message, authBytes: Buffer.alloc(0)}
    }
  },
}

/** After SaslHandshake v0 the token comes, and is answered, as a bare frame. Throws ProtocolError to close when it is refused. */
export function answerBareToken(token: Buffer, broker: Broker, connection: Connection): Buffer[] {
  connection.expectsBareToken = false
  try {
    return [admit(token, broker, connection).replyBytes]
  } catch (error) {
    if (error instanceof AuthenticationError) throw new ProtocolError(`authentication failed: ${error.message}: ${error.reason}`)
    throw error
  }
}

/** Gives the connection its principal. Re-authentication must keep it, as Kafka demands (KIP-368). */
function admit(token: Buffer, broker: Broker, connection: Connection): Session {
  const {identities, region, hostNames, maxSessionMs = Number.POSITIVE_INFINITY} = broker.authentication
  const now = Date.now()
  const session = authenticate(connection.mechanism as 'OAUTHBEARER' | 'AWS_MSK_IAM', token, {
    identities,
    region,
    hostNames,
    now,
  })
  const {principal} = session
  const expiresAt = Math.min(session.expiresAt, now + maxSessionMs)
  if (connection.principal && connection.principal.arn !== principal.arn) {
    throw new AuthenticationError(
      'Cannot change principals during re-authentication',
      `from ${connection.principal.arn} to ${principal.arn}`,
    )
  }
  if (!principal.allows('kafka-cluster:Connect', broker.arn)) {
    throw new AuthenticationError('Access denied', `denied ${principal.arn} kafka-cluster:Connect on ${broker.arn}`)
  }
  connection.principal = principal
  connection.expiresAt = expiresAt
  connection.mechanism = undefined
  return {...session, expiresAt}
}
