import {execFileSync} from 'node:child_process'

/** End-to-end tests run bin/run.js, which runs dist/: make it from the sources that are being tested. */
export default function build(): void {
  execFileSync('npm', ['run', '--silent', 'compile'], {stdio: 'inherit', shell: process.platform === 'win32'})
}
