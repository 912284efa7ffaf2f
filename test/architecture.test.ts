import {readdirSync, readFileSync} from 'node:fs'
import {dirname, join, posix} from 'node:path'

import {describe, expect, it} from 'vitest'

/** Which folders, and which packages, each folder may import. Read it as the architecture. The longest prefix applies. */
const mayImport: Record<string, string[]> = {
  'commands/': ['lib/', '@oclif/core'],
  'lib/base-command.ts': ['lib/', '@oclif/core'],
  'lib/start.ts': ['lib/errors', 'lib/failures', 'lib/nearest', 'lib/output/', 'lib/shutdown', '@oclif/core'],
  'lib/help.ts': ['lib/errors', '@oclif/core'],
  'lib/contexts': ['lib/contexts', 'lib/aws/', 'lib/errors', 'lib/limits', 'lib/nearest', 'lib/yaml-file'],
  'lib/kafka/': [
    'lib/kafka/',
    'lib/records/',
    'lib/errors',
    'lib/retry',
    'lib/limits',
    'lib/nearest',
    'lib/yaml-file',
    'yaml',
    'lib/process-identity',
    'lib/seeded-random',
    'kafkajs',
    'aws-msk-iam-sasl-signer-js',
    'socks',
    'csv-parse',
  ],
  'lib/kafka/consume/': ['lib/kafka/', 'lib/lambda/filter', 'lib/lambda/json', 'lib/records/', 'lib/errors', 'kafkajs', 're2js'],
  'lib/aws/': ['lib/aws/', 'lib/errors', 'lib/retry', 'lib/limits', '@aws-sdk/'],
  'lib/esm-': ['lib/', '@oclif/core'],
  'lib/esm/': [
    'lib/esm/',
    'lib/aws/',
    'lib/duration',
    'lib/errors',
    'lib/retry',
    'lib/limits',
    'lib/nearest',
    'lib/yaml-file',
    'yaml',
  ],
  'lib/consume-': ['lib/', '@oclif/core'],
  'lib/produce-flags.ts': ['lib/', '@oclif/core', 'jmespath'],
  'lib/functions-command.ts': ['lib/', '@oclif/core'],
  'lib/topics-plan-command.ts': ['lib/', '@oclif/core'],
  'lib/functions/': ['lib/functions/', 'lib/aws/', 'lib/esm/manifest', 'lib/errors'],
  'lib/dev/': [
    'lib/dev/',
    'lib/functions/',
    'lib/lambda/',
    'lib/local/lambda/sandboxes',
    'lib/kafka/',
    'lib/records/',
    'lib/errors',
  ],
  'lib/records/': ['lib/records/', '@bokuweb/zstd-wasm', '@node-rs/crc32', 'lz4js', 'snappyjs', 'fzstd'],
  'lib/scaffold/': ['lib/scaffold/', 'lib/errors', 'lib/limits', 'lib/nearest', 'yaml'],
  'lib/output/': ['lib/output/', 'lib/errors', 'chalk', 'cli-table3', 'inquirer', 'jmespath'],
  'lib/lambda/': ['lib/lambda/', 'lib/records/', 'lib/limits'],
  'lib/local/': [
    'lib/local/',
    'lib/lambda/',
    'lib/records/',
    'lib/limits',
    'lib/errors',
    'lib/nearest',
    'lib/process-identity',
    'lib/seeded-random',
    '@peculiar/x509',
    'reflect-metadata',
  ],
  'lib/duration.ts': ['lib/errors'],
  'lib/failures.ts': ['lib/errors', 'lib/nearest'],
  'lib/shutdown.ts': ['lib/errors'],
  'lib/errors.ts': [],
  'lib/limits.ts': [],
  'lib/nearest.ts': [],
  'lib/process-identity.ts': [],
  'lib/yaml-file.ts': ['lib/errors', 'lib/nearest', 'yaml'],
  'lib/retry.ts': [],
  'lib/seeded-random.ts': [],
}

/** Too slow to load for a command that does not need them: `await import()` only. */
const lazyOnly =
  /^(?:kafkajs|aws-msk-iam-sasl-signer-js|@aws-sdk\/|inquirer|jmespath|csv-parse|yaml|@peculiar\/x509|reflect-metadata|@bokuweb\/|socks|re2js)/

const sources = readdirSync('src', {recursive: true, encoding: 'utf8'})
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => file.endsWith('.ts') && !file.startsWith('templates/'))

describe.each(sources)('%s', (file) => {
  it('imports only what its folder may', () => {
    const folder = Object.keys(mayImport)
      .filter((prefix) => file.startsWith(prefix))
      .sort((a, b) => b.length - a.length)[0]
    expect(folder, `no rule covers src/${file}`).toBeDefined()

    const strays = importsOf(file).filter(({target}) => !mayImport[folder!]!.some((allowed) => target.startsWith(allowed)))

    expect(strays).toEqual([])
  })

  it('loads heavy packages only when they are needed', () => {
    const eager = importsOf(file).filter(({target, kind}) => kind === 'static' && lazyOnly.test(target))

    expect(eager).toEqual([])
  })
})

type Import = {target: string; kind: 'static' | 'type' | 'dynamic'}

function importsOf(file: string): Import[] {
  const source = readFileSync(join('src', file), 'utf8')
  const statics = [...source.matchAll(/^(?:import|export)( type)?\s[^'"]*?from\s*'([^']+)'/gm)].map(
    ([, type, target]): Import => ({target: target!, kind: type ? 'type' : 'static'}),
  )
  const bare = [...source.matchAll(/^import '([^']+)'/gm)].map(([, target]): Import => ({target: target!, kind: 'static'}))
  const dynamics = [...source.matchAll(/\bimport\(\s*'([^']+)'/g)].map(
    ([, target]): Import => ({target: target!, kind: 'dynamic'}),
  )
  return [...statics, ...bare, ...dynamics]
    .filter(({target}) => !target.startsWith('node:'))
    .map(({target, kind}) => ({
      kind,
      target: target.startsWith('.') ? posix.normalize(posix.join(dirname(file), target)) : target,
    }))
}
