import { fileShape, type Setting, type Settings } from '#machine/settings'
import { UsageError } from '../exit.ts'

/** What was typed for a setting, in the one spelling that it is kept in. Throws UsageError in the words of its shape. */
export function toSetting<Key extends Setting>(
  key: Key,
  typed: string,
  name: string,
): NonNullable<Settings[Key]> {
  const parsed = fileShape.shape[key].safeParse(typed)
  if (parsed.success && parsed.data !== undefined) return parsed.data as NonNullable<Settings[Key]>
  throw new UsageError(`${name}: ${parsed.error?.issues[0]?.message}.`)
}
