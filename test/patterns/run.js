/**
 * npm run test:patterns -- [--full] [FILE…] [vitest flags]
 *
 * `--full` is ours (vitest refuses flags that it does not know): counts at their full size.
 */
import {spawnSync} from 'node:child_process'

const args = process.argv.slice(2).filter((arg) => arg !== '--full')
const env = {...process.env, ...(process.argv.includes('--full') && {SKK_FULL: '1'})}
const {status} = spawnSync('npx', ['vitest', 'run', '--config', 'test/patterns/vitest.config.ts', ...args], {
  stdio: 'inherit',
  env,
})
process.exit(status ?? 1)
