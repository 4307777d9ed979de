/** `--quick` runs every part on little, to see that it works: what it prints is no measurement and is written nowhere. */
export const isQuick = process.argv.includes('--quick')

/** So many, or with `--quick` so few. */
export const amount = (whole: number, quick: number): number => (isQuick ? quick : whole)
