/**
 * npm run local -- [flags of `skk dev`]
 *
 * Runs the function on this machine against the topic of `skk local`, under the rules of its mapping. What it talks to is started
 * by scripts/world.mjs where there is one.
 */
import {spawn, spawnSync} from 'node:child_process'
import {existsSync} from 'node:fs'

if (spawnSync('skk', ['--version'], {stdio: 'ignore'}).error) {
  console.error('error: skk is not on the PATH\nhint:  Run `npm install --global skk`, then `skk local start`.')
  process.exit(2)
}

const world = new URL('./world.mjs', import.meta.url)
const {env = {}, stop = () => {}} = existsSync(world) ? await (await import(world.href)).start() : {}
const variables = Object.entries(env).flatMap(([name, value]) => ['--env', `${name}=${value}`])
const own = process.argv.slice(2)
const where = own.some((word) => /^(-c|--context|--cluster|--bootstrap)\b/.test(word)) ? [] : ['--context', 'local']
const child = spawn('skk', ['dev', '.', ...where, ...variables, ...own], {stdio: 'inherit'})
// Ctrl-C reaches the whole group of processes: skk ends in its own time, and this one after it.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => signal === 'SIGTERM' && child.kill(signal))
child.once('close', async (code) => {
  await stop()
  process.exit(code ?? 1)
})
