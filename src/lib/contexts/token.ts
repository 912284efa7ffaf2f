import type {Credentials} from '../aws/credentials.js'
import {SkkError} from '../errors.js'
import {isLoopbackAddress} from './addresses.js'

/**
 * The credentials, only if an IAM token made from them may travel to these brokers. A token is valid for 15 minutes at every
 * cluster of its identity, so it goes over TLS with a verified certificate; the one exception is this machine, with keys that
 * are not AWS's own. Throws SkkError (usage) otherwise.
 */
export function guardToken(
  {auth, tls, credentials}: {auth: 'iam' | 'none'; tls: boolean; credentials: () => Promise<Credentials>},
  bootstrap: readonly string[],
): () => Promise<Credentials> {
  if (auth === 'none' || tls) return credentials

  const remote = bootstrap.find((address) => !isLoopbackAddress(address))
  if (remote) {
    throw refused(
      `an IAM token would travel in the clear to "${remote}"`,
      'Leave out `--no-tls`, or pass `--auth none` if the brokers ask for no token.',
    )
  }
  return async () => {
    const found = await credentials()
    if (/^A[KS]IA/.test(found.accessKeyId)) {
      throw refused(
        'an IAM token of a real AWS key would travel in the clear',
        'Pass `--tls` if that port speaks TLS, `--auth none` if it asks for no token, or `--context local` for the local stack.',
      )
    }
    return found
  }
}

/** The same credentials, and whose they were when they were last asked for. */
export function watched(credentials: () => Promise<Credentials>): {
  credentials: () => Promise<Credentials>
  accessKeyId: () => string | undefined
} {
  let last: string | undefined
  return {
    credentials: async () => {
      const found = await credentials()
      last = found.accessKeyId
      return found
    },
    accessKeyId: () => last,
  }
}

const refused = (message: string, hint: string): SkkError => new SkkError(message, {code: 'TOKEN_UNSAFE', exit: 'usage', hint})
