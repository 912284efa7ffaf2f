import {existsSync} from 'node:fs'
import {chmod, mkdir, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import {type Home, skk} from './skk.js'

/** Lets a shell with that home find `skk`, and `npx skk`, which are both `program`. Returns the shell's environment. */
export async function pathTo(program: string, home: Home): Promise<NodeJS.ProcessEnv> {
  const bin = join(home.directory, 'bin')
  const run = `exec '${process.execPath}' '${program}' "$@"`
  await mkdir(bin, {recursive: true})
  await writeProgram(join(bin, 'skk'), run)
  await writeProgram(join(bin, 'npx'), `[ "$1" = skk ] || exit 127\nshift\nexport npm_command=exec\n${run}`)
  return {...home.env, PATH: `${bin}:${home.env['PATH']}`}
}

async function writeProgram(path: string, body: string): Promise<void> {
  await writeFile(path, `#!/bin/sh\n${body}\n`)
  await chmod(path, 0o755)
}

/** Ends the stack in the background that commands of this home left running: as a person would, else by its pid. */
export async function stopStackOf(home: Home): Promise<void> {
  const state = join(home.dataDir, 'local', 'stack.json')
  if (!existsSync(state)) return
  const {pid} = JSON.parse(await readFile(state, 'utf8')) as {pid: number}
  const {code} = await skk(['local', 'stop'], {home})
  if (code !== 0) process.kill(pid, 'SIGKILL')
}
