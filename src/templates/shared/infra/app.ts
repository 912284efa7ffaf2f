import {App} from 'aws-cdk-lib'

import {PatternStack} from './stack.ts'

const app = new App({analyticsReporting: false})
new PatternStack(app, '{{name}}')
app.synth()
