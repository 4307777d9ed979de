/** A name of no machine. One of its labels is longer than DNS allows, so no server is asked, which may take its time. */
export const NOWHERE = `${'nowhere'.repeat(10)}.invalid`
