import {existsSync, readdirSync, readFileSync} from 'node:fs'
import {readFile} from 'node:fs/promises'

import {describe, expect, it} from 'vitest'

import {messages} from '../src/lib/local/kafka/messages.js'
import {type ApiProfile, advertised} from '../src/lib/local/kafka/profiles.js'

const testFiles = readdirSync('test', {recursive: true, encoding: 'utf8'}).map((path) => `/${path.replaceAll('\\', '/')}`)

type Manifest = {commands: Record<string, {flags: Record<string, {allowNo?: boolean}>}>}

describe.each(['README.md', 'FIDELITY.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md'])('%s', (file) => {
  const {commands}: Manifest = JSON.parse(readFileSync('oclif.manifest.json', 'utf8'))
  const text = readFileSync(file, 'utf8')
  const spans = [...text.replaceAll(/^```[\s\S]*?^```$/gm, '').matchAll(/`([^`\n]+)`/g)].map(([, span]) => span!)
  const typed = [...text.matchAll(/^\$ (.*)$/gm)].flatMap(([, line]) => line!.split(/\$\(|\||&&/)).map((line) => line.trim())

  it('names only commands and flags that exist', () => {
    const lines = [...spans, ...typed].filter((line) => /^(npx )?skk\b/.test(line))

    expect(lines.flatMap((line) => mistakesIn(line, commands))).toEqual([])
    expect(spans.filter((span) => /^--[a-z]/.test(span)).filter((span) => !isSomeFlag(span, commands))).toEqual([])
  })

  it('names only npm scripts that exist', () => {
    const {scripts} = JSON.parse(readFileSync('package.json', 'utf8'))
    const named = [...text.matchAll(/npm run ([a-z][\w:-]*)/g)].map(([, script]) => script!)

    expect(named.filter((script) => !(script in scripts))).toEqual([])
  })

  it('names only files that exist', () => {
    const links = [...text.matchAll(/\]\(([^)#:]+)\)/g)].map(([, path]) => path!).filter((path) => !existsSync(path))
    const named = [...text.matchAll(/[\w./-]+\.test\.ts/g)].map(([path]) => path)

    expect(links).toEqual([])
    expect(named.filter((path) => !existsSync(path) && !testFiles.some((file) => file.endsWith(`/${path}`)))).toEqual([])
  })
})

it('FIDELITY.md has the versions that each profile advertises', async () => {
  const lines = (await readFile('FIDELITY.md', 'utf8')).split('\n').filter((line) => /^\| \d+ [A-Z]/.test(line))

  const versionsOf = (profile: ApiProfile) => new Map(advertised(profile).map((api) => [api.apiKey, rangeOf(api)]))
  const [serverless, published, wide] = [versionsOf('msk-serverless'), versionsOf('msk-2022'), versionsOf('wide')]
  const rows = [...wide].map(([key, range]) => {
    return `| ${key} ${messages[key]!.name} | ${serverless.get(key) ?? '-'} | ${published.get(key) ?? '-'} | ${range} |`
  })
  expect(lines).toEqual(rows)
})

const rangeOf = ({minVersion: min, maxVersion: max}: {minVersion: number; maxVersion: number}): string =>
  min === max ? String(min) : `${min}-${max}`

it('FIDELITY.md dates every behaviour, and says whether it was verified against AWS', async () => {
  const rows = (await readFile('FIDELITY.md', 'utf8')).split('\n').filter((line) => line.split(' | ').length === 6)
  const header = '| Behaviour | `skk local` | Source | AWS | Checked by | Date |'

  expect(rows.length).toBeGreaterThan(80)
  const wrong = rows.filter((row) => row !== header && !/ \| (no|yes, \d{4}-\d\d-\d\d) \| [^|]+ \| \d{4}-\d\d-\d\d \|$/.test(row))
  expect(wrong).toEqual([])
})

/** What is wrong with a line such as `skk topics create orders --partitions 3`; words in capitals are placeholders. */
function mistakesIn(line: string, commands: Manifest['commands']): string[] {
  const words = line
    .replace(/^npx /, '')
    .replace(/[)"]+$/, '')
    .split(/\s+/)
    .slice(1)
  const named = words.filter((word, index) => index < 3 && /^[a-z]/.test(word))
  const id = [3, 2, 1].map((length) => named.slice(0, length).join(':')).find((candidate) => candidate in commands)
  if (id === undefined) {
    const isGroup = named.length > 0 && Object.keys(commands).some((known) => known.startsWith(`${named.join(':')}:`))
    const isPlaceholder = named.length === 0 && (words.length === 0 || /^(-|[A-Z…])/.test(words[0]!))
    return isGroup || isPlaceholder ? [] : [`no such command: ${line}`]
  }
  const flags = words.filter((word) => /^--[a-z]/.test(word))
  return flags.filter((flag) => !isFlagOf(commands[id]!, flag)).map((flag) => `no such flag ${flag}: ${line}`)
}

const isSomeFlag = (span: string, commands: Manifest['commands']): boolean =>
  Object.values(commands).some((command) => isFlagOf(command, span.split(' ')[0]!))

function isFlagOf({flags}: Manifest['commands'][string], flag: string): boolean {
  const name = flag.slice(2).replace(/[=,].*$/, '')
  return name === 'help' || name === 'version' || name in flags || flags[name.replace(/^no-/, '')]?.allowNo === true
}
