/**
 * npm run test:aws -- --cluster ARN [--region R] [--profile P] [--via URL]
 *
 * Runs the loop of the CLI and a list of open questions against a real MSK Serverless cluster, with your own credentials. Takes the
 * flags of skk that lead to a cluster. It makes and deletes topics named skk-test-…, and costs what those cost (cents).
 * Writes test/aws/transcripts/DATE.md, with account and cluster ids taken out: the evidence for FIDELITY.md.
 */
import {spawnSync} from 'node:child_process'

const flags = process.argv.slice(2)
const refuse = (why) => {
  process.stderr.write(
    `error: ${why}\nhint:  Run \`npm run test:aws -- --cluster ARN\` with AWS credentials in your environment.\n`,
  )
  process.exit(2)
}
if (process.env['CI']) refuse('the tests against AWS spend money and are not for CI')
if (!flags.includes('--cluster')) refuse('no `--cluster` given')
const env = {...process.env, SKK_AWS_FLAGS: JSON.stringify(flags)}
const {status} = spawnSync('npx', ['vitest', 'run', '--config', 'test/aws/vitest.config.ts'], {stdio: 'inherit', env})
process.exit(status ?? 1)
