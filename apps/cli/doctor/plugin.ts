import { join } from 'node:path'
import { serverName } from '../install/server.ts'
import { INSTALL, toFix, type Line } from './line.ts'
import { findHooks, findPlugin, readObject, serversOf, type Scene } from './scene.ts'

/** Whether a hook is registered twice, so that it runs twice: in a plugin and the settings, or in a project's as well. */
export async function checkDuplicates(scene: Scene): Promise<Line[]> {
  const about = 'duplicates'
  const { hooks, client, settings } = scene
  const plugin = findPlugin(scene)
  const isInstalled = hooks.length > 0 || serversOf(client.value ?? {})[serverName] !== undefined
  const lines: Line[] = []
  if (plugin && isInstalled) {
    lines.push(toFix(about, `the plugin ${plugin} is enabled as well.`, 'claude-peers uninstall'))
  }
  const twice = hooks.filter(
    (hook, index) =>
      hooks.findIndex((one) => one.event === hook.event && one.command === hook.command) < index,
  )
  if (twice.length > 0) {
    const events = [...new Set(twice.map((hook) => hook.event))]
    lines.push(toFix(about, `the hook of ${events.join(', ')} is registered twice.`, INSTALL))
  }
  for (const file of projectSettings(scene)) {
    const { value } = await readObject(file)
    if (value && findHooks(value).length > 0 && settings.value && hooks.length > 0)
      lines.push(toFix(about, `${file} has our hooks as well: take them out there.`))
  }
  return lines
}

/** Whether the client runs the hooks of this user at all. */
export async function checkDisabled(scene: Scene): Promise<Line[]> {
  const files = [scene.places.settings, ...projectSettings(scene), managedSettings()]
  const lines: Line[] = []
  for (const file of files) {
    const { value = {} } = await readObject(file)
    for (const name of ['disableAllHooks', 'allowManagedHooksOnly']) {
      if (value[name] === true)
        lines.push(toFix('hooks', `${file} keeps them from running: take "${name}" out of it.`))
    }
  }
  return lines
}

function projectSettings({ cwd, places }: Scene): string[] {
  return ['settings.json', 'settings.local.json']
    .map((name) => join(cwd, '.claude', name))
    .filter((file) => file !== places.settings)
}

/** Where an administrator's settings are. */
function managedSettings(): string {
  if (process.platform === 'darwin') return '/Library/Application Support/ClaudeCode/managed-settings.json'
  if (process.platform === 'win32') return 'C:\\Program Files\\ClaudeCode\\managed-settings.json'
  return '/etc/claude-code/managed-settings.json'
}
