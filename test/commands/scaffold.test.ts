import {existsSync, readdirSync, readFileSync} from 'node:fs'
import {appendFile, mkdir, readFile, rm, symlink, writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import {afterEach, beforeEach, describe, expect, it} from 'vitest'

import {cleanHome, type Home, skk, startSkkOnTerminal} from '../support/skk.js'

const CLUSTER = 'arn:aws:kafka:eu-west-1:123456789012:cluster/demo/01234567-89ab-cdef-0123-456789abcdef-s1'

let home: Home
beforeEach(async () => {
  home = await cleanHome()
})
afterEach(() => home.remove())

const scaffold = (...args: string[]) => skk(['scaffold', ...args], {home})
const work = (...path: string[]) => join(home.directory, 'work', ...path)
const projectOf = (...path: string[]) => JSON.parse(readFileSync(work(...path, 'skk.project.json'), 'utf8'))

describe('skk scaffold TEMPLATE', () => {
  it('makes a project without context, credentials or cluster, and says what comes next and what it costs', async () => {
    const {code, stdout, stderr} = await scaffold('pattern-4')

    expect({code, stdout}).toMatchObject({code: 0, stdout: expect.stringContaining('made "pattern-4" from pattern-4')})
    expect(stderr).toMatch(
      /npm ci && npm run build && npm test[\s\S]*sam deploy[\s\S]*\$\d+\.\d\d a month.*prices of \d{4}-\d\d-\d\d/,
    )
    const names = readdirSync(work('pattern-4'))
    expect(names).toEqual(
      expect.arrayContaining(['.gitignore', '.npmrc', 'package-lock.json', 'template.yaml', 'src', 'test', 'events']),
    )
    expect(names).not.toContain('template.json')
    expect(readdirSync(work())).toEqual(['pattern-4'])
  })

  it('knows a template by its other name, and takes the name of the directory', async () => {
    expect((await scaffold('kafka-to-http', 'deep/orders-out')).code).toBe(0)

    expect(projectOf('deep/orders-out')).toMatchObject({
      template: 'pattern-4',
      name: 'orders-out',
      handler: 'src/handler.handler',
    })
    expect(JSON.parse(readFileSync(work('deep/orders-out/package-lock.json'), 'utf8'))).toMatchObject({
      name: 'orders-out',
      packages: {'': {name: 'orders-out'}},
    })
  })

  it('takes what a name answers by itself, unless something else is said', async () => {
    expect((await scaffold('kafka-to-rabbitmq', 'out')).code).toBe(0)
    expect((await scaffold('kafka-to-rabbitmq', 'queue', '--set', 'to=sqs')).code).toBe(0)

    expect(projectOf('out')).toMatchObject({template: 'pattern-3', answers: {from: 'kafka', to: 'rabbitmq'}, vpc: true})
    expect(projectOf('queue')).toMatchObject({template: 'pattern-3', answers: {from: 'kafka', to: 'sqs'}, vpc: false})
    expect([existsSync(work('out/src/amqp.ts')), existsSync(work('queue/src/amqp.ts'))]).toEqual([true, false])
    expect(readdirSync(work('out'))).not.toContain('to-rabbitmq')
  })

  it('gives the same bytes for the same answers', async () => {
    for (const parent of ['a', 'b']) await scaffold('pattern-4', `${parent}/orders`, '--set', 'order=key', '--iac', 'cdk')

    const paths = readdirSync(work('a'), {recursive: true, encoding: 'utf8'}).filter((path) => /\.\w+$/.test(path))
    expect(paths.length).toBeGreaterThan(30)
    const texts = (parent: string) => paths.map((path) => [path, readFileSync(work(parent, path), 'utf8')])
    expect(texts('b')).toEqual(texts('a'))
  })

  it('takes cluster and region from the current context, and nothing from the stack of this machine', async () => {
    await home.context('staging', {cluster: CLUSTER}, {use: true})
    await scaffold('pattern-4', 'aws')
    await home.context('local', {credentials: 'local'}, {use: true})
    await scaffold('pattern-4', 'here')

    expect(projectOf('aws').answers).toMatchObject({'cluster-arn': CLUSTER, region: 'eu-west-1'})
    expect(readFileSync(work('aws/template.yaml'), 'utf8')).toContain(`Default: "${CLUSTER}"`)
    expect(projectOf('here').answers).toMatchObject({'cluster-arn': '', region: ''})
  })

  it('leaves the mapping to skk with --esm post-deploy', async () => {
    await scaffold('pattern-4', 'orders', '--esm', 'post-deploy')

    expect(readFileSync(work('orders/template.yaml'), 'utf8')).not.toContain('EventSourceMapping')
    const applied = await skk(['esm', 'apply', '-f', work('orders/skk.esm.yaml'), '--dry-run', '--json'], {home})
    // It is a manifest: what is missing is a cluster, not sense.
    expect(applied.stderr).toContain('CLUSTER_MISSING')
  })

  it('names no topic to read, and no mapping, where no mapping calls the function', async () => {
    await scaffold('pattern-1', 'orders', '--iac', 'none')

    const project = projectOf('orders')
    expect([project.topic, project.mapping, project.environment.TOPICS]).toEqual([undefined, undefined, 'orders'])
  })

  it('drops the error controls with the provisioned pollers, and lets the function fail as a whole', async () => {
    await scaffold('pattern-4', 'orders', '--no-provisioned')

    const template = readFileSync(work('orders/template.yaml'), 'utf8')
    expect(template).not.toMatch(/ProvisionedPollerConfig|MaximumRetryAttempts|Bisect|ReportBatchItemFailures/)
    const {mapping, environment} = projectOf('orders')
    expect(Object.keys(mapping)).toEqual(['group', 'startingPosition', 'batchSize', 'batchingWindow', 'onFailure'])
    expect(environment.REPORT_FAILURES).toBe('false')
  })

  it('writes nothing with --dry-run, and tells the cost under a load', async () => {
    const {code, stdout} = await scaffold('pattern-4', '--dry-run', '--rate', '50', '--json')

    expect(existsSync(work('pattern-4'))).toBe(false)
    const {files, fit} = JSON.parse(stdout)
    expect({code, fits: fit.fits}).toEqual({code: 0, fits: true})
    expect(files).toContain('src/handler.ts')
    expect(fit.estimate.dollars).toBeGreaterThan(fit.onDemand.dollars)
  })

  it('says plainly when the load is too much for it', async () => {
    const {stdout} = await scaffold('pattern-4', '--dry-run', '--rate', '2000', '--hours', '24')

    expect(stdout).toContain('it does not fit: steady high load: 100 instances')
  })
})

describe('skk scaffold refuses', () => {
  it.each([
    ['a name that leads elsewhere', ['--set', 'name=../x'], 2, 'name cannot be'],
    ['an answer that is code', ['--set', `topic=a"}`], 2, 'topic cannot be'],
    ['an answer that spans lines', ['--set', 'topic=a\nb'], 2, 'topic cannot be'],
    ['a value that there is not', ['--set', 'order=any'], 2, 'order cannot be'],
    ['an answer that nobody asks for', ['--set', 'topik=a'], 2, 'topic'],
    ['an answer that is said twice', ['--set', 'iac=cdk', '--iac', 'sam'], 2, 'iac is said twice'],
  ])('%s', async (_, flags, code, text) => {
    const ended = await scaffold('pattern-4', ...flags)

    expect(ended).toMatchObject({code, stderr: expect.stringContaining(text)})
    expect(readdirSync(work())).toEqual([])
  })

  it('answers that do not go together, and no access at all', async () => {
    const jwtAtUrl = await scaffold('pattern-1', '--set', 'front=function-url', '--set', 'access=jwt')
    expect(jwtAtUrl).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(
        /front=function-url and access=jwt do not go together[\s\S]*hint: {2}A function URL checks no JWT/,
      ),
    })
    expect(await scaffold('pattern-1', '--set', 'access=none')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('iam, jwt, api-key, public'),
    })
    expect(readdirSync(work())).toEqual([])
  })

  it('a template that there is not, with the nearest', async () => {
    expect(await scaffold('pattern-44')).toMatchObject({code: 3, stderr: expect.stringContaining('Did you mean "pattern-4"')})
  })

  it('a directory that is not empty, unless --force is given', async () => {
    await mkdir(work('orders'))
    await writeFile(work('orders/README.md'), 'mine')
    await writeFile(work('orders/own.txt'), 'mine')

    expect(await scaffold('pattern-4', 'orders')).toMatchObject({code: 6, stderr: expect.stringContaining('--force')})
    expect(readdirSync(work('orders')).sort()).toEqual(['README.md', 'own.txt'])
    expect((await scaffold('pattern-4', 'orders', '--force')).code).toBe(0)
    expect(readFileSync(work('orders/own.txt'), 'utf8')).toBe('mine')
    expect(readFileSync(work('orders/README.md'), 'utf8')).toContain('# orders')
  })

  it('a link in the place of the directory, or of anything inside', async () => {
    await mkdir(work('elsewhere'))
    await symlink(work('elsewhere'), work('link'))
    await mkdir(work('orders'))
    await symlink(work('elsewhere'), work('orders/src'))

    expect(await scaffold('pattern-4', 'link', '--force')).toMatchObject({code: 6, stderr: expect.stringContaining('is a link')})
    expect(await scaffold('pattern-4', 'orders', '--force')).toMatchObject({
      code: 6,
      stderr: expect.stringContaining('is a link'),
    })
    expect(readdirSync(work('elsewhere'))).toEqual([])
    expect(readdirSync(work('orders'))).toEqual(['src'])
  })
})

describe('skk scaffold --list', () => {
  it('shows what there is, and as JSON what each asks', async () => {
    const [table, json] = [await scaffold('--list'), await scaffold('--list', '--json')]

    expect(table.stdout).toMatch(/^TEMPLATE +TRIGGER +WHAT FOR +WHEN NOT TO\n[\s\S]*^pattern-4, kafka-to-http/m)
    const listed = JSON.parse(json.stdout)
    const made = readdirSync('src/templates').filter((name) => name.startsWith('pattern-'))
    expect(listed.map(({name}: {name: string}) => name).sort()).toEqual(made.sort())
    expect(listed.find(({name}: {name: string}) => name === 'pattern-4').answers).toMatchObject({topic: {default: 'orders'}})
  })
})

describe('skk scaffold without a template', () => {
  it('lets a person pick one, and echoes the command', async () => {
    const {child, ended, says} = startSkkOnTerminal(['scaffold'], {home})
    await says(/Which pattern/)
    child.stdin!.write('\r')

    expect(await ended).toMatchObject({code: 0, stdout: expect.stringMatching(/\$ skk scaffold \S+/)})
  })

  it('says what is missing where nobody can be asked', async () => {
    expect(await scaffold()).toMatchObject({code: 2, stderr: expect.stringContaining('skk scaffold pattern-4')})
  })
})

describe('skk scaffold --diff and --upgrade', () => {
  /** A project of an older skk: its template had another `src/http.ts`, and no `src/settings.ts`. */
  async function olderProject(): Promise<void> {
    await scaffold('pattern-4', 'orders')
    const project = projectOf('orders')
    const {createHash} = await import('node:crypto')
    project.version = '0.0.9'
    project.files['src/http.ts'] = createHash('sha256').update('old\n').digest('hex').slice(0, 16)
    project.files['src/gone.ts'] = project.files['src/http.ts']
    delete project.files['src/settings.ts']
    await writeFile(work('orders/skk.project.json'), `${JSON.stringify(project, null, 2)}\n`)
    await writeFile(work('orders/src/http.ts'), 'old\n')
    await writeFile(work('orders/src/gone.ts'), 'old\n')
    await rm(work('orders/src/settings.ts'))
  }

  it('finds nothing to do in a project that was just made', async () => {
    await scaffold('pattern-4', 'orders')

    expect(await scaffold('--diff', 'orders')).toMatchObject({code: 0, stdout: ''})
    expect(await scaffold('--upgrade', 'orders', '--json')).toMatchObject({code: 0})
  })

  it('brings what the template has changed, and leaves what people have changed', async () => {
    await olderProject()
    await appendFile(work('orders/src/handler.ts'), '// mine\n')
    const {stdout} = await scaffold('--diff', 'orders')
    expect(stdout).toContain('--- a/src/http.ts\n+++ b/src/http.ts')
    expect(stdout).toContain('--- /dev/null\n+++ b/src/settings.ts')

    const {code, stdout: json} = await scaffold('--upgrade', 'orders', '--json')

    expect(code).toBe(0)
    expect(JSON.parse(json).written).toEqual(['skk.project.json', 'src/gone.ts', 'src/http.ts', 'src/settings.ts'])
    expect(await readFile(work('orders/src/handler.ts'), 'utf8')).toMatch(/\/\/ mine\n$/)
    expect(existsSync(work('orders/src/gone.ts'))).toBe(false)
    expect((await scaffold('--upgrade', 'orders')).stderr).toContain('0.1.0 → 0.1.0')
  })

  it('leaves alone what both have changed, names it, and takes the template with --force', async () => {
    await olderProject()
    await writeFile(work('orders/src/http.ts'), 'mine\n')

    expect(await scaffold('--upgrade', 'orders')).toMatchObject({code: 6, stderr: expect.stringContaining('"src/http.ts"')})
    expect(await readFile(work('orders/src/http.ts'), 'utf8')).toBe('mine\n')
    expect((await scaffold('--upgrade', 'orders', '--force')).code).toBe(0)
    expect(await readFile(work('orders/src/http.ts'), 'utf8')).toContain('export async function send')
  })

  it('keeps settings of the project file', async () => {
    await scaffold('pattern-4', 'orders')
    const project = projectOf('orders')
    project.memory = 2048
    project.environment.MAX_ATTEMPTS = '9'
    project.version = '0.0.9'
    await writeFile(work('orders/skk.project.json'), JSON.stringify(project))

    await scaffold('--upgrade', 'orders')

    expect(projectOf('orders')).toMatchObject({
      version: '0.1.0',
      memory: 2048,
      environment: {MAX_ATTEMPTS: '9', ORDER: 'partition'},
    })
  })

  it('refuses a project file that would reach out of the directory', async () => {
    await scaffold('pattern-4', 'orders')
    const project = projectOf('orders')
    project.files['../victim'] = project.files['src/http.ts']
    await writeFile(work('orders/skk.project.json'), JSON.stringify(project))

    expect((await scaffold('--upgrade', 'orders')).code).toBe(9)
    expect((await scaffold('--diff')).code).toBe(3)
  })
})
