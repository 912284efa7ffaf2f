import {
  // {{#front=http-api}}
  aws_apigatewayv2 as apigateway,
  CfnParameter,
  Fn,
  // {{/front=http-api}}
  aws_lambda as lambda,
  // {{#front=http-api}}
  aws_logs as logs,
  RemovalPolicy,
  // {{/front=http-api}}
  type Stack,
} from 'aws-cdk-lib'

// {{#front=http-api}}
const NAME = '{{name}}'
// {{/front=http-api}}

/** An API key is checked by the function: neither HTTP APIs nor function URLs have any. */
const AUTHORIZATION_TYPES = {iam: 'AWS_IAM', jwt: 'JWT', 'api-key': 'NONE', public: 'NONE'}

// {{#front=http-api}}
/** An HTTP API that lets so many requests a second through, and whose routes nobody takes who may not. */
export function httpApi(stack: Stack, fn: lambda.CfnFunction): apigateway.CfnApi {
  const perSecond = new CfnParameter(stack, 'RequestsPerSecond', {
    description: 'Requests a second that are let through, also in a burst',
    type: 'Number',
    minValue: 1,
    default: 500,
  }).valueAsNumber
  const api = new apigateway.CfnApi(stack, 'Api', {
    name: NAME,
    description: 'Stores HTTP requests in Kafka topics',
    protocolType: 'HTTP',
  })
  const integration = new apigateway.CfnIntegration(stack, 'Integration', {
    apiId: api.ref,
    integrationType: 'AWS_PROXY',
    integrationUri: fn.attrArn,
    payloadFormatVersion: '2.0',
    timeoutInMillis: 25_000,
  })
  const authorization = {
    authorizationType: AUTHORIZATION_TYPES['{{access}}'],
    // {{#access=jwt}}
    authorizerId: jwtAuthorizer(stack, api),
    // {{/access=jwt}}
  }
  const routes = {
    V2Route: 'POST /topics/{topic}',
    // The last segment is records or records:batch.
    V3Route: 'POST /v3/clusters/{cluster}/topics/{topic}/{records}',
  }
  for (const [id, routeKey] of Object.entries(routes))
    new apigateway.CfnRoute(stack, id, {apiId: api.ref, routeKey, target: `integrations/${integration.ref}`, ...authorization})
  stage(stack, api, perSecond)
  new lambda.CfnPermission(stack, 'ApiPermission', {
    functionName: fn.ref,
    action: 'lambda:InvokeFunction',
    principal: 'apigateway.amazonaws.com',
    sourceArn: Fn.sub(
      // biome-ignore lint/suspicious/noTemplateCurlyInString: it is CloudFormation's
      'arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*/*',
    ),
  })
  return api
}

function stage(stack: Stack, api: apigateway.CfnApi, perSecond: number): void {
  const apiLogs = new logs.CfnLogGroup(stack, 'ApiLogs', {logGroupName: `/aws/vendedlogs/${NAME}-api`, retentionInDays: 30})
  apiLogs.applyRemovalPolicy(RemovalPolicy.DESTROY)
  const shown = {
    requestId: '$context.requestId',
    ip: '$context.identity.sourceIp',
    route: '$context.routeKey',
    status: '$context.status',
    latency: '$context.responseLatency',
    integration: '$context.integrationErrorMessage',
  }
  new apigateway.CfnStage(stack, 'Stage', {
    apiId: api.ref,
    stageName: '$default',
    autoDeploy: true,
    defaultRouteSettings: {throttlingRateLimit: perSecond, throttlingBurstLimit: perSecond},
    accessLogSettings: {destinationArn: apiLogs.attrArn, format: JSON.stringify(shown)},
  })
}

// {{#access=jwt}}
function jwtAuthorizer(stack: Stack, api: apigateway.CfnApi): string {
  const issuer = new CfnParameter(stack, 'JwtIssuer', {
    description: 'Issuer of the tokens, https://…',
    allowedPattern: 'https://.+',
  }).valueAsString
  const audience = new CfnParameter(stack, 'JwtAudience', {description: 'Audience that a token must have'}).valueAsString
  return new apigateway.CfnAuthorizer(stack, 'Authorizer', {
    apiId: api.ref,
    name: 'jwt',
    authorizerType: 'JWT',
    identitySource: ['$request.header.Authorization'],
    jwtConfiguration: {issuer, audience: [audience]},
  }).ref
}

// {{/access=jwt}}
// {{/front=http-api}}
// {{#front=function-url}}
export function functionUrl(stack: Stack, fn: lambda.CfnFunction): lambda.CfnUrl {
  // {{#access!=iam}}
  // Everybody may call the URL; who may ask is for the function to say.
  const everybody = {functionName: fn.ref, principal: '*'}
  new lambda.CfnPermission(stack, 'UrlPermission', {
    ...everybody,
    action: 'lambda:InvokeFunctionUrl',
    functionUrlAuthType: 'NONE',
  })
  new lambda.CfnPermission(stack, 'UrlInvokePermission', {
    ...everybody,
    action: 'lambda:InvokeFunction',
    invokedViaFunctionUrl: true,
  })
  // {{/access!=iam}}
  return new lambda.CfnUrl(stack, 'Url', {targetFunctionArn: fn.ref, authType: AUTHORIZATION_TYPES['{{access}}']})
}

// {{/front=function-url}}
