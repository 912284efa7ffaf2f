/** What npm says it is running where no `skk` is on the PATH: `npx skk`, and `npm run demo` (npm 10 and before: run-script). */
const NPX: readonly (string | undefined)[] = ['exec', 'run', 'run-script']

/** How a person types skk here. */
const invocation = (env: NodeJS.ProcessEnv = process.env): string => (NPX.includes(env.npm_command) ? 'npx skk' : 'skk')

/** The text with its `skk …` commands as they can be typed here. */
export const asTyped = (text: string): string => text.replaceAll(/(^|`|^\$ |^ {2})skk (?=[a-z-])/gm, `$1${invocation()} `)
