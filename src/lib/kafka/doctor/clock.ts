/** How far this machine's clock is ahead of an HTTP server's, by the Date header of its answer; undefined when it does not tell. */
export async function clockSkewMs(endpoint: string, now: () => number = Date.now): Promise<number | undefined> {
  try {
    const {headers} = await fetch(endpoint, {method: 'HEAD', redirect: 'manual', signal: AbortSignal.timeout(3_000)})
    const theirs = Date.parse(headers.get('date') ?? '')
    return Number.isNaN(theirs) ? undefined : now() - theirs
  } catch {
    return undefined
  }
}
