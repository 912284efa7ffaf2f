export type Secret = {
  /** The value that is known, fetched the first time. */
  current(): Promise<string>
  /** A newer value than `refused`: of several callers that were refused at once, one fetches it for all. */
  renewed(refused: string): Promise<string>
}

/** A secret that is fetched once and kept, until somebody is refused with it. */
export function cachedSecret(fetchSecret: () => Promise<string>): Secret {
  let known: Promise<string> | undefined
  const load = () => {
    const loading = fetchSecret()
    // A failure is not kept: the next record asks again.
    loading.catch(() => {
      if (known === loading) known = undefined
    })
    known = loading
    return loading
  }
  return {
    current: () => known ?? load(),
    async renewed(refused) {
      const before = known
      if (before !== undefined && (await before) !== refused) return before
      return known !== undefined && known !== before ? known : load()
    },
  }
}
