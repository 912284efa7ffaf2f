/** Where the handler belongs: on the local stack with the stack's own keys, or in the world of the user. */
export type World = {
  local: boolean
  region: string | undefined
  profile: string | undefined
  endpointUrl: string | undefined
  credentials: () => Promise<{accessKeyId: string; secretAccessKey: string; sessionToken?: string}>
}

/**
 * The environment of a handler under `skk dev`: this process's own, as any program that is started here gets it. On the local
 * stack everything of AWS is taken out, so that no real credentials are ever used against it or by mistake beside it.
 */
export async function handlerEnvironment(world: World, own: NodeJS.ProcessEnv): Promise<Record<string, string>> {
  const {local, region, profile, endpointUrl} = world
  const inherited = Object.entries(own).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !(local && entry[0].startsWith('AWS_')),
  )
  const regions = region === undefined ? {} : {AWS_REGION: region, AWS_DEFAULT_REGION: region}
  const theirs = {...Object.fromEntries(inherited), ...regions}
  if (!local) return {...theirs, ...(profile !== undefined && {AWS_PROFILE: profile})}

  const {accessKeyId, secretAccessKey, sessionToken} = await world.credentials()
  return {
    ...theirs,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    ...(sessionToken !== undefined && {AWS_SESSION_TOKEN: sessionToken}),
    ...(endpointUrl !== undefined && {AWS_ENDPOINT_URL_KAFKA: endpointUrl, AWS_ENDPOINT_URL_LAMBDA: endpointUrl}),
    // Files that do not exist: the user's own are not for a stack.
    AWS_CONFIG_FILE: '/nonexistent',
    AWS_SHARED_CREDENTIALS_FILE: '/nonexistent',
    AWS_EC2_METADATA_DISABLED: 'true',
  }
}
