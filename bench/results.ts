/** RESULTS.md: a section for each part of the benchmark, from the last whole run of that part. */

const HEAD =
  '# Results\n\nMedians with quartiles, interleaved within each part; made by `npm run bench`, or `npm run bench -- hook` for one part.\n\n'

/** Puts the section of a part into the results, in the place of the one before, or else in the order of the parts. */
export function withSection(
  results: string,
  { name, text, parts }: { name: string; text: string; parts: string[] },
): string {
  const sections = new Map(results.split(/^## /m).slice(1).map(toSection))
  sections.set(name, text.trim())
  const known = parts.filter((part) => sections.has(part))
  return HEAD + known.map((part) => `## ${part}\n\n${sections.get(part)}\n`).join('\n')
}

function toSection(section: string): [name: string, text: string] {
  const end = section.indexOf('\n')
  return [section.slice(0, end).trim(), section.slice(end).trim()]
}
