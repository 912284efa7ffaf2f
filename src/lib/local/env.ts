import {SkkError} from '../errors.js'
import type {Stack} from './data-dir.js'

export const ENV_FORMATS = ['shell', 'properties', 'kcat', 'json'] as const
export type EnvFormat = (typeof ENV_FORMATS)[number]

/** The variables by which AWS SDKs and the AWS CLI find the stack. Never `AWS_ENDPOINT_URL`, which would redirect S3 and all the rest. */
function awsVariables(stack: Stack): Record<string, string> {
  const {endpoint, region, accessKeyId, secretAccessKey, sessionToken} = stack
  return {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    ...(sessionToken !== undefined && {AWS_SESSION_TOKEN: sessionToken}),
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    AWS_ENDPOINT_URL_KAFKA: endpoint,
    AWS_ENDPOINT_URL_LAMBDA: endpoint,
  }
}

/**
 * What another tool needs to use the stack, as text for that tool: `eval "$(skk local env)"`, a Java `client.properties`,
 * flags of kcat. Throws SkkError (usage) for kcat when there is no plaintext port: kcat 1.7.1 cannot make an MSK token.
 */
export function renderEnv(stack: Stack, format: EnvFormat): string {
  if (format === 'shell') {
    const lines = Object.entries(awsVariables(stack)).map(([name, value]) => `export ${name}=${quoted(value)}`)
    return ['unset AWS_PROFILE AWS_SESSION_TOKEN', ...lines].join('\n')
  }
  if (format === 'properties') return properties(stack)
  if (format === 'kcat') return kcatFlags(stack)
  return JSON.stringify(environment(stack), null, 2)
}

/** The same as an object, for `--json` and `--format json`. */
export function environment(stack: Stack): {
  bootstrap: string
  plaintextBootstrap?: string
  endpoint: string
  clusterArn: string
  ca?: string
  env: Record<string, string>
} {
  const {bootstrap, plaintextBootstrap, endpoint, clusterArn, ca} = stack
  return {
    bootstrap,
    ...(plaintextBootstrap !== undefined && {plaintextBootstrap}),
    endpoint,
    clusterArn,
    ...(ca !== undefined && {ca}),
    env: awsVariables(stack),
  }
}

function properties({bootstrap, ca}: Stack): string {
  const lines = [
    '# Java clients with software.amazon.msk:aws-msk-iam-auth 2.3.6 or newer on the class path.',
    '# The keys come from the environment: eval "$(skk local env)"',
    `bootstrap.servers=${bootstrap}`,
    `security.protocol=${ca === undefined ? 'SASL_PLAINTEXT' : 'SASL_SSL'}`,
    'sasl.mechanism=AWS_MSK_IAM',
    'sasl.jaas.config=software.amazon.msk.auth.iam.IAMLoginModule required;',
    'sasl.client.callback.handler.class=software.amazon.msk.auth.iam.IAMClientCallbackHandler',
  ]
  if (ca !== undefined) lines.push('ssl.truststore.type=PEM', `ssl.truststore.location=${ca}`)
  return lines.join('\n')
}

function kcatFlags({plaintextBootstrap}: Stack): string {
  if (plaintextBootstrap !== undefined) return `-b ${plaintextBootstrap}`
  throw new SkkError('kcat cannot make an MSK token, and this stack has no plaintext port', {
    code: 'NO_PLAINTEXT_PORT',
    exit: 'usage',
    hint: 'Run `skk local stop`, then `skk local start --plaintext-port 9092`.',
  })
}

const quoted = (value: string): string => (/^[\w@%+=:,./-]+$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`)
