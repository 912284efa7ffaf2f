import {execFile} from 'node:child_process'
import {existsSync, readFileSync} from 'node:fs'
import {mkdir, readFile, symlink, writeFile} from 'node:fs/promises'
import {join, resolve} from 'node:path'
import {promisify} from 'node:util'

import {afterAll, beforeAll, describe, expect, it, onTestFinished} from 'vitest'

import {loadIdentities} from '../src/lib/local/iam-file.js'
import {pathTo, stopStackOf} from './support/person.js'
import {cleanHome, type Home} from './support/skk.js'

/** What a block marked `no-test` may need, and who runs that instead. */
const ELSEWHERE: readonly {needs: RegExp; runs: string}[] = [
  {needs: /^kcat\b/m, runs: 'test/engines/kcat.test.ts'},
  {needs: /^aws\b/m, runs: 'test/engines/aws.test.ts'},
  {needs: /^kafka-[a-z-]+\.sh\b/m, runs: 'test/engines/java-3.9.test.ts'},
  {needs: /\barn:aws:kafka:/, runs: 'test/aws/msk-serverless.test.ts'},
]

type Command = {line: number; text: string; exitCode: number}
type Block = {heading: string; line: number; isTested: boolean; commands: Command[]}

const blocks = consoleBlocks(readFileSync('README.md', 'utf8'))
const tested = blocks.filter(({isTested}) => isTested)
const headings = [...new Set(tested.map(({heading}) => heading))]

it('README.md has blocks that are run', () => expect(tested.flatMap(({commands}) => commands).length).toBeGreaterThan(5))

describe.each(headings)('README.md, %s', (heading) => {
  let home: Home
  beforeAll(async () => {
    home = await cleanHome()
  })
  afterAll(async () => {
    await stopStackOf(home)
    await home.remove()
  })

  it('its console blocks end as recorded, typed one after the other from a clean home', async () => {
    const commands = tested.filter((block) => block.heading === heading).flatMap((block) => block.commands)

    const codes = await type(commands, home)

    expect(codes).toEqual(commands.map(({line, text, exitCode}) => `${line}: ${text} (exit ${exitCode})`))
  }, 300_000)
})

it('README.md leaves no block out that could run here', () => {
  const skipped = blocks.filter(({isTested}) => !isTested)
  const reasons = skipped.map(({line, commands}) => {
    const texts = commands.map(({text}) => text).join('\n')
    return {line, runs: ELSEWHERE.filter(({needs}) => needs.test(texts)).map(({runs}) => runs)}
  })
  for (const {line, runs} of reasons) console.log(`README.md:${line}: not run here, but by ${runs.join(' and ')}`)
  console.log(`${skipped.length} of ${blocks.length} console blocks of README.md are not run here`)

  expect(reasons.filter(({runs}) => runs.length === 0)).toEqual([])
  expect(reasons.flatMap(({runs}) => runs).filter((file) => !existsSync(file))).toEqual([])
})

it('the `--iam` file of README.md is one that the stack takes', async () => {
  const [file] = [...readFileSync('README.md', 'utf8').matchAll(/^```json\n([^`]*"principals"[^`]*)^```$/gm)].map(
    ([, text]) => text!,
  )
  const home = await cleanHome()
  onTestFinished(() => home.remove())
  const path = join(home.directory, 'team.json')
  await writeFile(path, file!, {mode: 0o600})

  const {all, warnings} = await loadIdentities(path)

  expect(all).toMatchObject([{name: 'reader', accessKeyId: 'READER'}])
  expect(warnings).toEqual([])
})

it('npx finds skk in the checkout', async () => {
  // Where npx meets a checkout for the first time it links it, for which npm would build it anew under the feet of the other tests.
  const env = {...process.env, npm_config_ignore_scripts: 'true'}

  const {stdout} = await promisify(execFile)('npx', ['--offline', 'skk', '--version'], {env})

  expect(stdout).toContain(JSON.parse(await readFile('package.json', 'utf8')).version)
})

/** The fenced blocks of the language `console`: `$ ` begins a command, `> ` goes on with it, `(exit N)` follows what it printed. */
function consoleBlocks(markdown: string): Block[] {
  const found: Block[] = []
  let heading = ''
  let block: Block | undefined
  for (const [index, text] of markdown.split('\n').entries()) {
    const [, language, mark] = /^```(\w*) ?(.*)$/.exec(text) ?? []
    if (language === undefined && block) readLine(text, index + 1, block.commands)
    else if (language === undefined) heading = /^##? (.*)$/.exec(text)?.[1] ?? heading
    else block = language === 'console' ? {heading, line: index + 1, isTested: mark !== 'no-test', commands: []} : undefined
    if (language === 'console') found.push(block!)
  }
  return found
}

function readLine(text: string, line: number, commands: Command[]): void {
  const last = commands.at(-1)
  const exit = /^\(exit (\d+)\)$/.exec(text)
  if (text.startsWith('$ ')) commands.push({line, text: text.slice(2), exitCode: 0})
  else if (text.startsWith('> ') && last) last.text += `\n${text.slice(2)}`
  else if (exit && last) last.exitCode = Number(exit[1])
}

/** Runs the commands in one shell, where `skk` and `npx skk` are this checkout's. How each ended, with what it said if that was not as recorded. */
async function type(commands: readonly Command[], home: Home): Promise<string[]> {
  const [work, record] = [join(home.directory, 'work'), join(home.directory, 'record')]
  await mkdir(record)
  await symlink(resolve('examples'), join(work, 'examples'))
  const env = await pathTo(resolve('bin/run.js'), home)

  const runnable = [...commands.entries()].filter(([, {text}]) => !/^npm (ci|i|install)\b/.test(text))
  const script = runnable.map(([index, {text}]) => {
    return `{\n${text}\n} </dev/null >'${record}/${index}.out' 2>&1\necho $? >'${record}/${index}.code'\n`
  })
  await promisify(execFile)('bash', ['-o', 'pipefail', '-c', script.join('')], {cwd: work, env, timeout: 280_000}).catch(() => {})

  return Promise.all(
    commands.map(async ({line, text, exitCode}, index) => {
      if (!runnable.some(([at]) => at === index)) return `${line}: ${text} (exit ${exitCode})`
      const read = (what: string) => readFile(join(record, `${index}.${what}`), 'utf8').catch(() => 'never')
      const [code, output] = [(await read('code')).trim(), await read('out')]
      return `${line}: ${text} (exit ${code})${code === String(exitCode) ? '' : `\n${output}`}`
    }),
  )
}
