import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { FOLDER } from './harness.ts'

/** The folder of migrations as a later version has it: with one more, at the end. Returns where it is. */
export function addMigration(directory: string, text: string, name = 'later'): string {
  const folder = join(directory, name)
  cpSync(FOLDER, folder, { recursive: true })
  const journal = join(folder, 'meta/_journal.json')
  const content = JSON.parse(readFileSync(journal, 'utf8')) as {
    entries: { idx: number; when: number; tag: string }[]
  }
  const last = content.entries.at(-1)!
  const tag = `${String(last.idx + 1).padStart(4, '0')}_${name}`
  content.entries.push({ ...last, idx: last.idx + 1, when: last.when + 1, tag })
  writeFileSync(journal, JSON.stringify(content))
  writeFileSync(join(folder, `${tag}.sql`), text)
  return folder
}

/** Rebuilds the table of messages, whose deliveries go with a deleted message, as the migration tool writes it. */
export const REBUILD = `
PRAGMA foreign_keys=OFF;--> statement-breakpoint
CREATE TABLE \`__new_messages\` (
  \`id\` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
  \`sender_id\` text NOT NULL,
  \`idempotency_key\` text NOT NULL,
  \`body\` text NOT NULL,
  \`chars\` integer NOT NULL,
  \`urgency\` text NOT NULL,
  \`reply_to\` integer,
  \`kind\` text DEFAULT 'message' NOT NULL,
  \`scope\` text,
  \`created_at\` integer NOT NULL,
  \`mood\` text,
  FOREIGN KEY (\`sender_id\`) REFERENCES \`peers\`(\`id\`)
);
--> statement-breakpoint
INSERT INTO \`__new_messages\`("id", "sender_id", "idempotency_key", "body", "chars", "urgency", "reply_to", "kind", "scope", "created_at")
  SELECT "id", "sender_id", "idempotency_key", "body", "chars", "urgency", "reply_to", "kind", "scope", "created_at" FROM \`messages\`;--> statement-breakpoint
DROP TABLE \`messages\`;--> statement-breakpoint
ALTER TABLE \`__new_messages\` RENAME TO \`messages\`;--> statement-breakpoint
PRAGMA foreign_keys=ON;--> statement-breakpoint
CREATE UNIQUE INDEX \`messages_idempotency\` ON \`messages\` (\`sender_id\`,\`idempotency_key\`);
`
