import {CfnParameter, type Stack} from 'aws-cdk-lib'

export const parameter = (stack: Stack, id: string, description: string, value: string): string =>
  new CfnParameter(stack, id, {description, default: value}).valueAsString

export const needed = (stack: Stack, id: string, description: string, allowedPattern?: string): string =>
  new CfnParameter(stack, id, {description, ...(allowedPattern && {allowedPattern})}).valueAsString

export const SECRET_ARN = 'arn:[a-z-]+:secretsmanager:[a-z0-9-]+:\\d{12}:secret:.+'

/** The parameter that turns the mapping on and off. */
export const mappingEnabled = (stack: Stack): string =>
  new CfnParameter(stack, 'MappingEnabled', {
    description: 'Whether the mapping calls the function',
    allowedValues: ['true', 'false'],
    default: 'true',
  }).valueAsString
