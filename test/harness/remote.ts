import { createHome, type Home } from './home.ts'

/** The home of a user of another machine (an id and a host of its own), whose hub is at `url`. */
export async function createRemoteHome(
  hub: Home,
  { url, host, install = true }: { url: string; host: string; install?: boolean },
): Promise<Home> {
  const home = await createHome({ host, install })
  Object.assign(home.env, { CLAUDE_PEERS_BROKER_URL: url, CLAUDE_PEERS_TOKEN: await hub.token() })
  return home
}
