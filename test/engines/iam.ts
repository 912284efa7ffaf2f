import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'

/** Writes the client.properties with which AWS's guide sets up the Java tools, over plain TCP as `skk local` listens without `--tls`. */
export async function iamProperties(dir: string, extra: Record<string, string> = {}): Promise<string> {
  const properties = {
    'security.protocol': 'SASL_PLAINTEXT',
    'sasl.mechanism': 'AWS_MSK_IAM',
    'sasl.jaas.config': 'software.amazon.msk.auth.iam.IAMLoginModule required;',
    'sasl.client.callback.handler.class': 'software.amazon.msk.auth.iam.IAMClientCallbackHandler',
    ...extra,
  }
  const text = Object.entries(properties).map(([key, value]) => `${key}=${value}\n`)
  const file = join(dir, 'client.properties')
  await writeFile(file, text.join(''))
  return file
}

type Statement = {Effect: 'Allow' | 'Deny'; Action: string | string[]; Resource: string | string[]}
type Person = {name: string; statements: readonly Statement[]}

/** Writes a file for `skk local start --iam`; everybody's access key is their name, and the secret `NAME-secret`. */
export async function iamFile(dir: string, people: readonly Person[]): Promise<string> {
  const principals = people.map(({name, statements}) => ({
    name,
    accessKeyId: name,
    secretAccessKey: `${name}-secret`,
    policy: {Version: '2012-10-17', Statement: statements},
  }))
  const file = join(dir, 'iam.json')
  await writeFile(file, JSON.stringify({principals}), {mode: 0o600})
  return file
}

/** The variables from which AWS's clients take that person's key. */
export function credentialsOf(name: string): NodeJS.ProcessEnv {
  return {
    AWS_ACCESS_KEY_ID: name,
    AWS_SECRET_ACCESS_KEY: `${name}-secret`,
    AWS_REGION: 'us-east-1',
    AWS_DEFAULT_REGION: 'us-east-1',
  }
}
