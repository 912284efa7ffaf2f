import {CfnCondition, CfnParameter, aws_cloudwatch as cloudwatch, Fn, type Stack} from 'aws-cdk-lib'

export type Alarm = Omit<cloudwatch.CfnAlarmProps, 'alarmName' | 'alarmActions' | 'dimensions'> & {
  /** Beside the stack's name. */
  name: string
  dimension: Dimension
  /** Further dimensions, of metrics that have several. */
  besides?: Dimension[]
}

type Dimension = [name: string, value: string]

/** Makes alarms that tell the SNS topic of the parameter AlarmTopicArn, if it names one. */
export function alarmsOf(stack: Stack, name: string): (id: string, alarm: Alarm) => void {
  const topic = new CfnParameter(stack, 'AlarmTopicArn', {
    description: 'SNS topic that alarms go to, or none',
    default: 'none',
  })
  const told = new CfnCondition(stack, 'HasAlarmTopic', {expression: Fn.conditionNot(Fn.conditionEquals(topic, 'none'))})
  return (id, {name: suffix, dimension, besides = [], ...alarm}) => {
    const made = new cloudwatch.CfnAlarm(stack, id, {
      alarmName: `${name}-${suffix}`,
      dimensions: [dimension, ...besides].map(([dimension, value]) => ({name: dimension, value})),
      treatMissingData: 'notBreaching',
      ...alarm,
    })
    made.addPropertyOverride('AlarmActions', {'Fn::If': [told.logicalId, [topic.valueAsString], []]})
  }
}

/** Five minutes are enough, or a quarter of an hour of them. */
export const once = {period: 300, evaluationPeriods: 1}
export const lasting = {period: 300, evaluationPeriods: 3}

export const any = {threshold: 1, comparisonOperator: 'GreaterThanOrEqualToThreshold'}
export const above = (threshold: number) => ({threshold, comparisonOperator: 'GreaterThanThreshold'})
