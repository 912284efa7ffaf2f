import {existsSync, readdirSync, readFileSync} from 'node:fs'
import {join, resolve} from 'node:path'

import type {Command} from '@oclif/core'
import {expect, it} from 'vitest'

const commands = new Map<string, typeof Command>()
for (const file of readdirSync('src/commands', {recursive: true, encoding: 'utf8'})) {
  if (!file.endsWith('.ts')) continue
  const {default: command} = await import(resolve('src/commands', file))
  commands.set(file.replaceAll('\\', '/').replace(/\.ts$/, '').replaceAll('/', ' '), command)
}
const topics = new Set([...commands.keys()].filter((id) => id.includes(' ')).map((id) => id.split(' ')[0]!))

/** Comments, and strings of each kind. */
const token = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`/g

/** What people are told to type: in backticks in the sources, in examples, and in the shell blocks of the README. */
const told: {line: string; where: string}[] = [...inSources(), ...inExamples(), ...inReadme()]

it('finds the lines that people are told to type', () => expect(told.length).toBeGreaterThan(30))

it.each(told)('$line ($where)', ({line}) => {
  const words = line.split(/\s+/).slice(1)
  const id = [3, 2, 1].map((length) => words.slice(0, length).join(' ')).find((known) => commands.has(known))
  if (id === undefined) {
    // The program, a group of commands, or a command that is put in when the line is made.
    expect(
      words.length === 0 || words[0] === 'x' || words[0]!.startsWith('-') || (words.length === 1 && topics.has(words[0]!)),
      `unknown command in \`${line}\``,
    ).toBe(true)
    return
  }

  const command = commands.get(id)!
  const flags = new Set([...Object.keys(command.baseFlags ?? {}), ...Object.keys(command.flags ?? {}), 'json', 'help'])
  const unknown = words
    .filter((word) => word.startsWith('--') && word.length > 2)
    .map((word) => word.slice(2).replace(/=.*/, ''))
    .filter((name) => !flags.has(name) && !flags.has(name.replace(/^no-/, '')))
  expect(unknown, `flags that \`skk ${id}\` does not have`).toEqual([])
})

function inSources(): {line: string; where: string}[] {
  return readdirSync('src', {recursive: true, encoding: 'utf8'})
    .filter((file) => file.endsWith('.ts') && !file.startsWith('templates'))
    .flatMap((file) => {
      const source = readFileSync(join('src', file), 'utf8').replaceAll(/\$\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}/g, 'x')
      return [...source.matchAll(token)]
        .filter(([text]) => !text.startsWith('/'))
        .flatMap(([text]) => [...text.slice(1, -1).matchAll(/`((?:npx )?skk(?: [^`\n]*?)?)\\?`/g)])
        .map(([, line]) => ({line: typed(line!), where: `src/${file}`}))
    })
}

function inExamples(): {line: string; where: string}[] {
  return [...commands].flatMap(([id, {examples = []}]) =>
    examples
      .map((example) => (typeof example === 'string' ? example : example.command))
      .map((line) => line.replaceAll('<%= config.bin %>', 'skk').replaceAll('<%= command.id %>', id))
      .flatMap((line) => line.split('\n'))
      .flatMap((line) => line.split(/ (?:\||&&) /))
      .map((line) => line.trim().replace(/^\$ /, ''))
      .filter((line) => line.startsWith('skk'))
      .map((line) => ({line: typed(line), where: `example of ${id}`})),
  )
}

function inReadme(): {line: string; where: string}[] {
  if (!existsSync('README.md')) return []
  return [...readFileSync('README.md', 'utf8').matchAll(/^\s*(?:\$ )?((?:npx )?skk [^\n]*)$/gm)]
    .flatMap(([, line]) => line!.split(/ (?:\||&&) /))
    .filter((line) => /^(?:npx )?skk /.test(line))
    .map((line) => ({line: typed(line), where: 'README.md'}))
}

/** Without what a shell adds: comments, redirections, quoted arguments. */
function typed(line: string): string {
  return line
    .replace(/^npx /, '')
    .replaceAll(/"[^"]*"|'[^']*'/g, 'x')
    .replace(/\s(?:#|>|<|2>).*$/, '')
    .replaceAll(/[[\]]/g, '')
    .replace(/…$/, '')
    .trim()
}
