/**
 * npm run bench -- [NAME…]
 *
 * The measurements are TypeScript and share the engine tests' installers, so they run on the Node 24 of those tests. What is measured
 * runs on the Node that runs this file, and where it says so on Node 24 beside it.
 */
import {spawnSync} from 'node:child_process'
import {existsSync} from 'node:fs'
import {join} from 'node:path'

const root = join(import.meta.dirname, '..')
const engines = join(root, 'test/engines')
const node24 = join(engines, 'node_modules/node24/bin/node')

if (!existsSync(node24)) run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], engines)
run('npm', ['run', '--silent', 'compile'], root)
const imports = ['--import', join(import.meta.dirname, 'typescript.js')]
run(
  node24,
  ['--disable-warning=ExperimentalWarning', ...imports, join(import.meta.dirname, 'index.ts'), ...process.argv.slice(2)],
  root,
)

/**
 * @param {string} command
 * @param {string[]} args
 * @param {string} cwd
 */
function run(command, args, cwd) {
  const {status} = spawnSync(command, args, {cwd, stdio: 'inherit', env: {...process.env, SKK_BENCH_NODE: process.execPath}})
  if (status !== 0) process.exit(status ?? 1)
}
