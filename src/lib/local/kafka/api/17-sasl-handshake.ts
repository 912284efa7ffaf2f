import type {SaslHandshakeRequest, SaslHandshakeResponse} from '../messages.js'
import type {Api} from './api.js'
import {ERROR} from './error-codes.js'

const MECHANISMS: readonly string[] = ['AWS_MSK_IAM', 'OAUTHBEARER']

/**
 * SaslHandshake v0-1: chooses the mechanism.
 *
 * - v0: bare tokens follow, without a Kafka header
 * - v1: SaslAuthenticate requests follow (KIP-152)
 */
export const saslHandshake: Api<SaslHandshakeRequest, SaslHandshakeResponse> = {
  key: 17,
  versions: [0, 1],
  handle({mechanism}, {connection, version}) {
    if (connection.listener.security !== 'iam') return {errorCode: ERROR.illegalSaslState, mechanisms: []}
    if (!MECHANISMS.includes(mechanism)) return {errorCode: ERROR.unsupportedSaslMechanism, mechanisms: MECHANISMS}
    connection.mechanism = mechanism
    connection.expectsBareToken = version === 0
    return {errorCode: ERROR.none, mechanisms: MECHANISMS}
  },
}
