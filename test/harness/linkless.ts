/**
 * A home on a file system without hard links, as on FAT, on some network drives and under Android: every link that Node
 * makes is refused as Linux refuses it there, and so is `ln`.
 */
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Home } from './home.ts'

const PRELOAD = `
const fs = require('node:fs')
const refuse = (...words) => {
  const cause = Object.assign(new Error('EPERM: operation not permitted, link'), { code: 'EPERM', errno: -1, syscall: 'link' })
  const callback = words.at(-1)
  if (typeof callback === 'function') return callback(cause)
  throw cause
}
fs.linkSync = fs.link = refuse
fs.promises.link = async () => refuse()
require('node:module').syncBuiltinESMExports()
`

/** The options of a Node that makes no hard link; `directory` gets the file that they name. */
export async function linklessNode(directory: string): Promise<string> {
  const preload = join(directory, 'no-links.cjs')
  await writeFile(preload, PRELOAD)
  return `--require=${preload}`
}

/** Takes hard links from every process that a home starts from now on. */
export async function takeLinksFrom(home: Home): Promise<void> {
  const programs = join(home.path, 'no-links')
  await mkdir(programs)
  await writeFile(join(programs, 'ln'), '#!/bin/sh\necho "ln: Operation not permitted" >&2\nexit 1\n')
  await chmod(join(programs, 'ln'), 0o755)
  home.env['NODE_OPTIONS'] = await linklessNode(home.path)
  home.env['PATH'] = `${programs}:${home.env['PATH']}`
}
