import {CfnParameter, aws_ec2 as ec2, type Stack} from 'aws-cdk-lib'

export type Network = {subnetIds: string[]; securityGroupIds: string[]}

const GROUP = 'AWS::EC2::SecurityGroup::Id'

/** Where the function is, because it opens connections to brokers itself. */
export function network(stack: Stack): Network {
  const given = (id: string, type: string, description: string, value: string) =>
    new CfnParameter(stack, id, {type, description, ...(value !== '' && {default: value})})
  return {
    subnetIds: given('SubnetIds', 'List<AWS::EC2::Subnet::Id>', 'Subnets that reach the brokers', '{{subnets}}').valueAsList,
    securityGroupIds: [given('SecurityGroupId', GROUP, 'Security group of the function', '{{security-group}}').valueAsString],
  }
}

/** Lets the function into the security group of a parameter. */
export function ingress(stack: Stack, who: 'Cluster' | 'Broker', {securityGroupIds: [own]}: Network, port: number): void {
  const description = `Security group of the ${who.toLowerCase()}, which lets the function in`
  const group = new CfnParameter(stack, `${who}SecurityGroupId`, {type: GROUP, description})
  new ec2.CfnSecurityGroupIngress(stack, `${who}Ingress`, {
    description: '{{name}}',
    groupId: group.valueAsString,
    sourceSecurityGroupId: own!,
    ipProtocol: 'tcp',
    fromPort: port,
    toPort: port,
  })
}
