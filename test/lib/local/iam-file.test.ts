import {chmod, mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {afterEach, beforeEach, expect, it} from 'vitest'
import {loadIdentities} from '../../../src/lib/local/iam-file.js'

const allowAll = {Version: '2012-10-17', Statement: {Effect: 'Allow', Action: '*', Resource: '*'}}
const alice = {name: 'alice', accessKeyId: 'ALICE', secretAccessKey: 'alices-secret', policy: allowAll}
const bob = {name: 'bob', accessKeyId: 'BOB', secretAccessKey: 'bobs-secret', sessionToken: 'bobs-token', policy: allowAll}

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'skk-iam-'))
})
afterEach(() => rm(dir, {recursive: true}))

async function iamFile(content: unknown): Promise<string> {
  const file = join(dir, 'iam.json')
  await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content), {mode: 0o600})
  return file
}

it('without a file knows the key test, which may do everything', async () => {
  const identities = await loadIdentities(undefined, '111122223333')

  expect(identities.find('test')).toMatchObject({
    secretAccessKey: 'test',
    principal: {arn: 'arn:aws:iam::111122223333:user/test'},
  })
  expect(identities.find('test')?.principal.allows('kafka:DeleteCluster', 'arn:any')).toBe(true)
  expect(identities.warnings).toEqual([])
})

it('with a file knows only the keys of the file', async () => {
  const identities = await loadIdentities(await iamFile({principals: [alice, bob]}))

  expect(identities.all.map(({name}) => name)).toEqual(['alice', 'bob'])
  expect(identities.find('BOB')).toMatchObject({secretAccessKey: 'bobs-secret', sessionToken: 'bobs-token'})
  expect(identities.find('ALICE')?.principal).toMatchObject({arn: 'arn:aws:iam::123456789012:user/alice', accessKeyId: 'ALICE'})
  expect(identities.find('test')).toBeUndefined()
  expect(identities.warnings).toEqual([])
})

it('gives each principal its own policy', async () => {
  const policy = {Statement: {Effect: 'Allow', Action: 'kafka-cluster:ReadData', Resource: 'arn:aws:kafka:*:topic/*'}}

  const identities = await loadIdentities(await iamFile({principals: [alice, {...bob, policy}]}))

  expect(identities.find('BOB')?.principal.allows('kafka-cluster:WriteData', 'arn:aws:kafka:r:a:topic/x')).toBe(false)
  expect(identities.find('BOB')?.principal.allows('kafka-cluster:ReadData', 'arn:aws:kafka:r:a:topic/x')).toBe(true)
  expect(identities.find('ALICE')?.principal.allows('kafka-cluster:WriteData', 'arn:aws:kafka:r:a:topic/x')).toBe(true)
})

it.skipIf(process.platform === 'win32')('warns when others may read the file', async () => {
  const file = await iamFile({principals: [alice]})
  await chmod(file, 0o644)

  const {warnings} = await loadIdentities(file)

  expect(warnings).toEqual([expect.stringContaining('other users may read or change it')])
})

it('warns of conditions, naming file and place', async () => {
  const policy = {Statement: [{...allowAll.Statement, Condition: {Bool: {'aws:MultiFactorAuthPresent': 'true'}}}]}

  const {warnings} = await loadIdentities(await iamFile({principals: [{...alice, policy}]}))

  expect(warnings).toEqual([
    expect.stringMatching(/iam\.json": principals\[0\]\.policy\.Statement\[0\]: conditions are not evaluated/),
  ])
})

it.each([
  ['no JSON', '{"principals": [\n{"name": "alice",, }]}', 'is not valid JSON'],
  ['a list', [], 'the document must be an object'],
  ['no principals', {}, 'principals must be a list'],
  ['an empty list', {principals: []}, 'principals must be a list with at least one principal'],
  [
    'a mistyped key',
    {principals: [{...alice, secretAcessKey: 'x'}]},
    'unknown key "secretAcessKey", did you mean "secretAccessKey"?',
  ],
  ['a mistyped member', {principal: []}, 'did you mean "principals"?'],
  ['a key like no other', {principals: [], comment: ''}, 'has the unknown key "comment", it may have principals'],
  ['a __proto__ key', '{"principals": [{"__proto__": {}}]}', 'unknown key "__proto__"'],
  ['no secret', {principals: [{...alice, secretAccessKey: undefined}]}, 'principals[0].secretAccessKey is missing'],
  ['an empty secret', {principals: [{...alice, secretAccessKey: ''}]}, 'principals[0].secretAccessKey must be'],
  ['a number as key', {principals: [{...alice, accessKeyId: 7}]}, 'principals[0].accessKeyId must be'],
  ['a slash in the key', {principals: [{...alice, accessKeyId: 'a/b'}]}, 'principals[0].accessKeyId must be'],
  ['a path as name', {principals: [{...alice, name: 'a/../b'}]}, 'principals[0].name must be'],
  ['a real key', {principals: [{...alice, accessKeyId: 'AKIAIOSFODNN7EXAMPLE'}]}, 'looks like a real AWS access key'],
  ['a real temporary key', {principals: [{...alice, accessKeyId: 'ASIAIOSFODNN7EXAMPLE'}]}, 'looks like a real AWS access key'],
  ['the same key twice', {principals: [alice, {...bob, accessKeyId: 'ALICE'}]}, 'principals[1].accessKeyId "ALICE" stands twice'],
  ['the same name twice', {principals: [alice, {...bob, name: 'alice'}]}, 'principals[1].name "alice" stands twice'],
  ['no policy', {principals: [{...alice, policy: undefined}]}, 'principals[0].policy is missing'],
  [
    'a policy without effect',
    {principals: [{...alice, policy: {Statement: {}}}]},
    'principals[0].policy.Statement.Effect must be "Allow" or "Deny"',
  ],
  ['an enormous file', `{"principals": "${'x'.repeat(2_000_000)}"}`, 'more than 1048576'],
])('refuses %s', async (_, content, problem) => {
  const file = await iamFile(content)

  const error = await loadIdentities(file).catch((error: unknown) => error)

  expect(error).toMatchObject({name: 'SkkError', message: expect.stringContaining(problem)})
  expect((error as Error).message).toContain(file)
})

it('says where the JSON is broken without quoting what stands there', async () => {
  const file = await iamFile('{"principals": [{"secretAccessKey": "canary"\n "name": "a"}]}')

  const error = await loadIdentities(file).catch((error: unknown) => error)

  expect((error as Error).message).not.toContain('canary')
  expect(error).toMatchObject({exitCode: 2})
})

it('exits 9 when the file cannot be read', async () => {
  await expect(loadIdentities(join(dir, 'none.json'))).rejects.toMatchObject({code: 'IAM_FILE_UNREADABLE', exitCode: 9})
})
