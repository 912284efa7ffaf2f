import {SkkError} from '../errors.js'
import {QUOTAS} from '../limits.js'
import {type Cluster, type NewCluster, REQUEST_ID_TAG} from './msk.js'

/** Refuses, before AWS is asked, what AWS would refuse. Throws SkkError (usage). */
export function checkCluster({name, subnets, securityGroups}: NewCluster): void {
  if (!/^[A-Za-z0-9][A-Za-z0-9-]{0,63}$/.test(name))
    refuse(`"${name}" cannot be the name of a cluster`, 'Use up to 64 letters, digits and dashes.')
  const noSubnet = subnets.find((subnet) => !/^subnet-[0-9a-z]+$/.test(subnet))
  if (noSubnet !== undefined)
    refuse(`"${noSubnet}" is not the id of a subnet`, 'Run `aws ec2 describe-subnets` to see those of your VPC.')
  const noGroup = securityGroups.find((group) => !/^sg-[0-9a-z]+$/.test(group))
  if (noGroup !== undefined)
    refuse(`"${noGroup}" is not the id of a security group`, 'Run `aws ec2 describe-security-groups` to see those of your VPC.')
  if (new Set(subnets).size < QUOTAS.minimumSubnetsPerVpc) {
    refuse(
      `a cluster needs at least ${QUOTAS.minimumSubnetsPerVpc} subnets in different availability zones`,
      'Pass `--subnets` with their ids, separated by commas.',
    )
  }
}

/** `key=value` pairs. Throws SkkError (usage). */
export function parseTags(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=')
      if (at < 1) refuse(`"${pair}" is not a tag`, 'Write it as `--tags key=value`, once for each tag.')
      const key = pair.slice(0, at)
      if (/^aws:/i.test(key) || key === REQUEST_ID_TAG) refuse(`"${key}" is not a name for a tag of yours`, 'Choose another key.')
      return [key, pair.slice(at + 1)]
    }),
  )
}

/** What an existing cluster has otherwise than wanted, for people; empty when it is as wanted. Order does not count. */
export function differences(existing: Cluster, wanted: NewCluster): string[] {
  const subnets = existing.vpcConfigs?.flatMap((vpc) => vpc.subnets) ?? []
  const securityGroups = existing.vpcConfigs?.flatMap((vpc) => vpc.securityGroups) ?? []
  const tags = Object.entries(wanted.tags).filter(([key, value]) => existing.tags[key] !== value)
  return [
    ...(existing.type === 'SERVERLESS' ? [] : [`its type is ${existing.type}`]),
    ...(sameSet(subnets, wanted.subnets) ? [] : [`its subnets are ${subnets.join(', ')}`]),
    ...(wanted.securityGroups.length === 0 || sameSet(securityGroups, wanted.securityGroups)
      ? []
      : [`its security groups are ${securityGroups.join(', ')}`]),
    ...tags.map(([key]) => (key in existing.tags ? `its tag "${key}" is "${existing.tags[key]}"` : `it has no tag "${key}"`)),
  ]
}

const sameSet = (a: readonly string[], b: readonly string[]): boolean =>
  new Set([...a, ...b]).size === new Set(a).size && new Set(a).size === new Set(b).size

function refuse(message: string, hint: string): never {
  throw new SkkError(message, {code: 'USAGE', exit: 'usage', hint})
}
