import {mkdir, mkdtemp, readdir, readFile, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {dirname, join} from 'node:path'

import {expect, it, onTestFinished} from 'vitest'

import {packageFunction} from '../../../src/lib/functions/package.js'
import {unzip} from '../../../src/lib/local/lambda/zip.js'

/** A directory with these files. */
async function project(files: Record<string, string>): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'skk-project-'))
  onTestFinished(() => rm(dir, {recursive: true}))
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(dir, name)), {recursive: true})
    await writeFile(join(dir, name), content)
  }
  return dir
}

async function unpacked(zip: Buffer): Promise<string> {
  const dir = await project({})
  await unzip(zip, dir)
  return dir
}

/** A package of the same interface, which tells what it was asked. */
const esbuild = {
  'node_modules/esbuild/package.json': '{"name": "esbuild", "main": "main.js"}',
  'node_modules/esbuild/main.js': `exports.build = async (options) => {
    if (options.entryPoints[0].includes('broken')) {
      throw Object.assign(new Error('Build failed'), {errors: [{text: 'Expected ";"', location: {file: 'broken.ts', line: 3}}]})
    }
    return {outputFiles: [{contents: Buffer.from(JSON.stringify(options))}]}
  }`,
}

it('takes a directory without esbuild as it is, but hidden files and node_modules', async () => {
  const dir = await project({
    'handler.mjs': 'export const handler = 1',
    'lib/more.mjs': '2',
    '.env': 'SECRET=1',
    'node_modules/x/index.js': '',
    'package.json': '{"dependencies": {"@aws-sdk/client-sqs": "3"}}',
  })

  const found = await packageFunction(dir)

  expect(found).toMatchObject({handler: 'handler.handler', files: 3, bundled: false})
  const out = await unpacked(found.zip)
  expect((await readdir(out, {recursive: true})).sort()).toEqual(['handler.mjs', 'lib', 'lib/more.mjs', 'package.json'])
})

it('bundles with the esbuild of the project, sources before what was compiled from them', async () => {
  const dir = await project({...esbuild, 'src/handler.ts': '', 'src/handler.js': ''})

  const found = await packageFunction(dir)

  expect(found).toMatchObject({handler: 'src/handler.handler', files: 1, bundled: true})
  const asked = JSON.parse(await readFile(join(await unpacked(found.zip), 'src/handler.mjs'), 'utf8'))
  expect(asked).toMatchObject({entryPoints: ['./src/handler.ts'], format: 'esm', platform: 'node', absWorkingDir: dir})
})

it('tells the first error of a bundle and its place', async () => {
  const dir = await project({...esbuild, 'broken.ts': ''})

  await expect(packageFunction(dir, 'broken.handler')).rejects.toMatchObject({
    message: 'cannot bundle "broken.ts": Expected ";" (broken.ts:3)',
    exitCode: 9,
  })
})

it('needs an esbuild for TypeScript and for packages, and tells how to get one', async () => {
  const typescript = await project({'index.ts': ''})
  const dependent = await project({'index.mjs': '', 'package.json': '{"dependencies": {"kafkajs": "2"}}'})

  await expect(packageFunction(typescript)).rejects.toMatchObject({
    message: '"index.ts" is TypeScript, and the project has no esbuild to bundle it with',
    exitCode: 2,
    hint: expect.stringContaining(`npm install --save-dev esbuild --prefix ${typescript}`),
  })
  await expect(packageFunction(dependent)).rejects.toMatchObject({exitCode: 2, message: expect.stringContaining('"kafkajs"')})
})

it.each(['../outside.handler', '/etc/passwd.handler', 'handler', '.hidden.handler'])('takes no handler like %s', async (name) => {
  const dir = await project({'handler.mjs': ''})

  await expect(packageFunction(dir, name)).rejects.toMatchObject({exitCode: 2})
})

it('says where it looked for a handler', async () => {
  const dir = await project({'main.mjs': ''})

  await expect(packageFunction(dir)).rejects.toMatchObject({exitCode: 3, hint: expect.stringContaining('src/handler')})
  await expect(packageFunction(dir, 'app.run')).rejects.toMatchObject({exitCode: 3, hint: expect.stringContaining('app.mjs')})
})

it('takes an archive as it is', async () => {
  const dir = await project({'function.zip': 'any bytes'})

  const found = await packageFunction(join(dir, 'function.zip'))

  expect(found).toMatchObject({zip: Buffer.from('any bytes'), handler: undefined, bundled: false})
})
