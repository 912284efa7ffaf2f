/** npm run test:templates -- [FILE…] [vitest flags] */
import {spawnSync} from 'node:child_process'

const args = ['vitest', 'run', '--config', 'test/templates/vitest.config.ts', ...process.argv.slice(2)]
const {status} = spawnSync('npx', args, {stdio: 'inherit'})
process.exit(status ?? 1)
