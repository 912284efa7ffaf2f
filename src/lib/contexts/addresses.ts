import {isIP} from 'node:net'

import {SkkError} from '../errors.js'

type Address = {host: string; port: number}

/** `HOST:PORT`, or `[IPv6]:PORT`. Throws SkkError (usage) on anything else. */
function parseAddress(text: string): Address {
  const [, ipv6, name, port] = /^(?:\[([0-9a-f:.%]+)\]|([^\s:[\]/@]+)):(\d{1,5})$/i.exec(text) ?? []
  const host = ipv6 ?? name
  if (!host || Number(port) < 1 || Number(port) > 65_535) {
    throw new SkkError(`"${text}" is not an address of a broker`, {
      code: 'USAGE',
      exit: 'usage',
      hint: 'Write it as HOST:PORT, several separated by commas.',
    })
  }
  return {host: host.toLowerCase(), port: Number(port)}
}

/** The addresses of a bootstrap string, in its order. Throws SkkError (usage). */
export function parseBootstrap(bootstrap: string): string[] {
  const addresses = bootstrap
    .split(',')
    .map((address) => address.trim())
    .filter(Boolean)
  if (addresses.length === 0) parseAddress(bootstrap)
  for (const address of addresses) parseAddress(address)
  return addresses
}

/** Whether a host can only be this machine. A name other than `localhost` could be anywhere, whatever it resolves to today. */
function isLoopbackHost(host: string): boolean {
  const bare = host.toLowerCase().replace(/^\[|\]$/g, '')
  if (isIP(bare) === 4) return bare.startsWith('127.')
  return bare === '::1' || bare === 'localhost' || /^::ffff:127\./.test(bare)
}

export const isLoopbackAddress = (address: string): boolean => isLoopbackHost(parseAddress(address).host)

/** Whether a URL, such as one of AWS_ENDPOINT_URL, points at this machine. */
export function isLoopbackUrl(url: string): boolean {
  try {
    return isLoopbackHost(new URL(url).hostname)
  } catch {
    return false
  }
}

/** The region inside an MSK ARN or inside the name of an MSK broker. */
export function regionIn(text: string | undefined): string | undefined {
  if (!text) return undefined
  return (
    /^arn:aws[a-z-]*:kafka:([a-z0-9-]+):/.exec(text)?.[1] ??
    /\.kafka(?:-serverless)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?(?::|$)/.exec(text)?.[1]
  )
}

/** Throws SkkError (usage) unless it is the name of an MSK cluster, as MSK allows them, or the ARN of one. */
export function checkCluster(cluster: string): void {
  if (/^[A-Za-z0-9][A-Za-z0-9-]{0,63}$/.test(cluster)) return
  if (/^arn:aws[a-z-]*:kafka:[a-z0-9-]+:\d{12}:cluster\/[A-Za-z0-9-]+\/[\w-]+$/.test(cluster)) return
  throw new SkkError(`"${cluster}" is neither the name nor the ARN of an MSK cluster`, {
    code: 'USAGE',
    exit: 'usage',
    hint: 'Names are up to 64 letters, digits and dashes; see yours with `skk clusters list`.',
  })
}

export const isArn = (cluster: string): boolean => cluster.startsWith('arn:')

/** MSK marks Serverless clusters by the end of their ARN: `…/1a2b-s1`. */
export const isServerlessArn = (arn: string | undefined): boolean => /:cluster\/[^/]+\/[0-9a-f-]+-s\d+$/.test(arn ?? '')
