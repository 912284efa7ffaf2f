/**
 * npm run test:engines -- [--full] [FILE…] [vitest flags]
 *
 * `--full` is ours (vitest refuses flags that it does not know): counts and rounds at their full size: seven minutes on two cores.
 */
import {spawnSync} from 'node:child_process'

const args = process.argv.slice(2).filter((arg) => arg !== '--full')
const env = {...process.env, ...(process.argv.includes('--full') && {SKK_FULL: '1'})}
const {status} = spawnSync('npx', ['vitest', 'run', '--config', 'test/engines/vitest.config.ts', ...args], {
  stdio: 'inherit',
  env,
})
process.exit(status ?? 1)
