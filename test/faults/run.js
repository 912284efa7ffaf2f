/**
 * npm run test:faults -- [--full] [FILE…] [vitest flags]
 *
 * `--full` is ours (vitest refuses flags that it does not know): 1,000 seeds and all kills instead of 50 and a tenth.
 * SKK_SEED=N begins with that seed; SKK_SEEDS=N runs so many.
 */
import {spawnSync} from 'node:child_process'

const args = process.argv.slice(2).filter((arg) => arg !== '--full')
const env = {...process.env, ...(process.argv.includes('--full') && {SKK_FULL: '1'})}
const {status} = spawnSync('npx', ['vitest', 'run', '--config', 'test/faults/vitest.config.ts', ...args], {stdio: 'inherit', env})
process.exit(status ?? 1)
