import {userInfo} from 'node:os'

import {SkkError} from '../errors.js'

/** Keys for one identity, as the AWS SDK hands them out. */
export type Credentials = {accessKeyId: string; secretAccessKey: string; sessionToken?: string; expiration?: Date}

const providers = new Map<string | undefined, () => Promise<Credentials>>()

/**
 * The AWS SDK's own chain (environment, profile, SSO, assumed roles, `credential_process`, container, instance), one memoised
 * provider per profile and process. Nothing is loaded or looked up before the first call; the SDK refreshes what expires within
 * five minutes. The provider throws SkkError (denied).
 */
export function credentialProvider(profile?: string): () => Promise<Credentials> {
  const known = providers.get(profile)
  if (known) return known

  let chain: Promise<() => Promise<Credentials>> | undefined
  const provider = async (): Promise<Credentials> => {
    chain ??= sdkChain(profile)
    try {
      return await (await chain)()
    } catch (error) {
      throw credentialsFailure(error as Error, profile ?? process.env.AWS_PROFILE)
    }
  }
  providers.set(profile, provider)
  return provider
}

/** The region that a profile (or the default one) sets; undefined when it sets none or does not exist. */
export async function regionOfProfile(profile: string | undefined): Promise<string | undefined> {
  const {KafkaClient} = await import('@aws-sdk/client-kafka')
  const client = new KafkaClient(profile ? {profile} : {})
  try {
    return await client.config.region()
  } catch {
    return undefined
  } finally {
    client.destroy()
  }
}

async function sdkChain(profile: string | undefined): Promise<() => Promise<Credentials>> {
  const {defaultProvider} = await import('@aws-sdk/credential-provider-node')
  return defaultProvider({...(profile && {profile}), roleAssumer: assumeRole, logger: silent}) as () => Promise<Credentials>
}

/**
 * The SDK calls a session `aws-sdk-js-<now>`, a new one at each refresh; MSK then refuses to re-authenticate a connection ("Cannot
 * change principals during re-authentication"). A name in the profile stays.
 */
async function assumeRole(source: Credentials, params: {RoleSessionName?: string}): Promise<Credentials> {
  const {getDefaultRoleAssumer} = await import('@aws-sdk/nested-clients/sts')
  const region = process.env.AWS_REGION || process.env.AWS_DEFAULT_REGION || 'us-east-1'
  const assumer = getDefaultRoleAssumer({parentClientConfig: {region}})
  return assumer(source, {...params, RoleSessionName: pinned(params.RoleSessionName)} as never)
}

/** STS takes 2 to 64 of these characters. */
const pinned = (name: string | undefined): string =>
  name && !/^aws-sdk-js-\d+$/.test(name) ? name : `skk-${userInfo().username.replaceAll(/[^\w+=,.@-]/g, '-')}`.slice(0, 64)

function credentialsFailure(error: Error, profile: string | undefined): SkkError {
  const {message} = error
  if (/sso|sign-in|login/i.test(message) && /expired|invalid|refresh|login/i.test(message)) {
    const login = `aws sso login${profile ? ` --profile ${profile}` : ''}`
    return new SkkError('the AWS single sign-on session has expired', {
      code: 'CREDENTIALS_EXPIRED',
      exit: 'denied',
      hint: `Run \`${login}\`, then the same command again.`,
      cause: error,
    })
  }
  return new SkkError(`no AWS credentials: ${firstSentence(message)}`, {
    code: 'CREDENTIALS_MISSING',
    exit: 'denied',
    hint: profile
      ? `Run \`aws configure --profile ${profile}\` or choose another profile with \`--profile\`.`
      : 'Run `aws configure`, or choose a profile with `--profile`; for the local stack pass `--context local`.',
    cause: error,
  })
}

const firstSentence = (text: string): string => (text.split(/\.\s|\n/)[0] ?? text).replace(/\.$/, '')

/** The SDK would write its warnings to the user's terminal. */
const silent = {trace() {}, debug() {}, info() {}, warn() {}, error() {}}
