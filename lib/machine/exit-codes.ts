/** How a hub that could not serve ends; whoever started it turns the code into words. */
export const HUB_EXIT = { failed: 1, claimed: 3, cannotListen: 4, newerDatabase: 5, badConfig: 6 } as const
