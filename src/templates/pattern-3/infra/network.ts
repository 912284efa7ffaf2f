import {CfnParameter, aws_ec2 as ec2, type Stack} from 'aws-cdk-lib'

export type Network = {subnetIds: string[]; securityGroupIds: string[]}

const GROUP = 'AWS::EC2::SecurityGroup::Id'

/** Where the function is, because it opens connections to brokers itself; and what it reaches: their port, and AWS. */
export function network(stack: Stack, who: 'Cluster' | 'Broker', brokers: number): Network {
  const given = (id: string, type: string, description: string, value = '') =>
    new CfnParameter(stack, id, {type, description, ...(value !== '' && {default: value})})
  const vpcId = given('VpcId', 'AWS::EC2::VPC::Id', 'VPC of the function').valueAsString
  const reached = 'Subnets of the function, from which the brokers can be reached'
  const subnets = given('Subnets', 'List<AWS::EC2::Subnet::Id>', reached, '{{subnets}}').valueAsList
  const whose = `Security group of the ${who.toLowerCase()}, which then lets the function in`
  const group = given(`${who}SecurityGroup`, GROUP, whose, who === 'Cluster' ? '{{security-group}}' : '').valueAsString
  const tcp = (port: number) => ({ipProtocol: 'tcp', fromPort: port, toPort: port})
  const own = new ec2.CfnSecurityGroup(stack, 'FunctionSecurityGroup', {
    groupDescription: '{{name}}: to the brokers, and to AWS',
    vpcId,
    securityGroupEgress: [
      {description: 'brokers', ...tcp(brokers), destinationSecurityGroupId: group},
      {description: 'AWS', ...tcp(443), cidrIp: '0.0.0.0/0'},
    ],
  })
  new ec2.CfnSecurityGroupIngress(stack, `${who}Ingress`, {
    description: '{{name}}',
    groupId: group,
    sourceSecurityGroupId: own.attrGroupId,
    ...tcp(brokers),
  })
  return {subnetIds: subnets, securityGroupIds: [own.attrGroupId]}
}
