import {SkkError} from '../errors.js'
import {checkCluster, isLoopbackAddress, parseBootstrap} from './addresses.js'
import type {Context} from './config-file.js'

/** Throws SkkError (usage) unless the name can be typed without quotes. */
export function checkContextName(name: string): void {
  if (!/^[A-Za-z0-9][\w.-]{0,63}$/.test(name))
    refuse(`"${name}" cannot be the name of a context`, 'Use up to 64 letters, digits, dots, dashes and underscores.')
}

/** Throws SkkError (usage) when the settings contradict each other, or could never work. */
export function checkContext(context: Context, name: string): void {
  const {cluster, bootstrap, credentials, region, auth = 'iam', tls, via, endpointUrls = {}} = context
  if (credentials === 'local') {
    if (region) refuse(`context "${name}" cannot set a region: the local stack has its own`, 'Leave out `--region`.')
  } else if (!cluster && !bootstrap && !region) {
    refuse(
      `context "${name}" says nothing about a cluster`,
      'Pass `--cluster`, `--bootstrap`, `--region` or `--credentials local`.',
    )
  }
  if (cluster) checkCluster(cluster)
  const addresses = bootstrap ? parseBootstrap(bootstrap) : []
  if (auth === 'iam' && tls === false && !addresses.every(isLoopbackAddress)) {
    refuse(
      `context "${name}" would send IAM tokens in the clear`,
      'Leave out `--no-tls`, or pass `--auth none` if the brokers ask for no token.',
    )
  }
  if (via !== undefined && !/^(?:socks5:\/\/|tcp:(?:\/\/)?)[^\s/]+:\d+$/.test(via)) {
    refuse(`"${via}" is not a tunnel`, 'Write it as socks5://HOST:PORT or tcp:HOST:PORT.')
  }
  for (const url of Object.values(endpointUrls)) {
    if (!URL.canParse(url)) refuse(`"${url}" is not a URL`, 'Write it as https://HOST[:PORT].')
  }
}

function refuse(message: string, hint: string): never {
  throw new SkkError(message, {code: 'CONTEXT_INVALID', exit: 'usage', hint})
}
