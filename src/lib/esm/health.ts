import type {Mapping} from '../aws/mapping.js'

export type Health = {
  /** `consuming`, `not yet seen consuming`, `has a problem`, `off` or `changing`. */
  words: string
  cause?: string
  /** One full sentence. */
  fix?: string
}

/** What AWS writes as the last result, what it comes from and what helps. Sources: `FIDELITY.md` names those that were seen. */
const PROBLEMS: readonly {text: RegExp; cause: string; fix: string}[] = [
  {
    text: /failed to authorize Lambda/i,
    cause: 'the role may not read the topic or use the consumer group',
    fix: "Allow kafka-cluster:DescribeTopic and ReadData on the topic and DescribeGroup and AlterGroup on the mapping's group; AWSLambdaMSKExecutionRole has none of them.",
  },
  {
    text: /SASL authentication failed/i,
    cause: 'the role may not connect to the cluster, or too many connections were made at once',
    fix: 'Allow kafka-cluster:Connect and DescribeCluster on the cluster.',
  },
  {
    text: /must be able to connect to Lambda and STS/i,
    cause: "on-demand pollers have no way out of the cluster's subnets",
    fix: 'Give these subnets a NAT gateway, or interface endpoints for lambda, sts and the service of the on-failure destination; provisioned pollers need neither.',
  },
  {
    text: /Connection error/i,
    cause: 'the brokers cannot be reached, or the topic or the cluster is gone',
    fix: "Let the cluster's security group talk to itself on port 9098, and check that the topic exists.",
  },
  {
    text: /failed to authenticate|certificate|private key/i,
    cause: 'the TLS handshake with the brokers failed',
    fix: 'Check the certificates of the mapping; MSK Serverless needs none.',
  },
  {
    text: /Function call failed/i,
    cause: 'the function failed',
    fix: 'Read its log with `skk functions logs`; the batch is delivered again until it succeeds, its retries are used up or it is too old, and `skk esm skip` goes past a record that it never takes.',
  },
]

/** What the state and the last result of a mapping mean. */
export function healthOf({state, stateReason, lastProcessingResult}: Mapping): Health {
  if (state === 'Disabled') return {words: 'off', ...(stateReason && {cause: stateReason})}
  if (state !== 'Enabled') return {words: 'changing'}
  if (lastProcessingResult === 'OK') return {words: 'consuming'}
  if (!lastProcessingResult?.startsWith('PROBLEM')) return {words: 'not yet seen consuming'}
  const known = PROBLEMS.find(({text}) => text.test(lastProcessingResult))
  return {words: 'has a problem', cause: known?.cause ?? lastProcessingResult, ...(known && {fix: known.fix})}
}
