import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** TLS in front of a hub, as `tailscale serve` or a proxy puts it there. */
export type TlsDoor = AsyncDisposable & {
  /** `https://127.0.0.1:<port>`, or the same at `[::1]`. */
  url: string
  /** The path of its certificate, for NODE_EXTRA_CA_CERTS: nobody else has signed it. */
  certificate: string
  connections(): number
}

/** Opens it on a port of its own, with a certificate that is made now. */
export async function openTlsDoor(target: string, { host = '127.0.0.1' } = {}): Promise<TlsDoor> {
  const directory = await mkdtemp(join(tmpdir(), 'claude-peers-tls-'))
  const [key, certificate] = ['key.pem', 'certificate.pem'].map((name) => join(directory, name))
  const made = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=hub -keyout ${key} -out ${certificate}`
  await run('openssl', [...made.split(' '), '-addext', 'subjectAltName=IP:127.0.0.1,IP:::1'])
  const sockets = new Set<Socket>()
  let connections = 0
  const { hostname, port } = new URL(target)
  const server = createServer({ key: await readFile(key!), cert: await readFile(certificate!) }, (client) => {
    connections++
    const hub = connect({ host: hostname, port: Number(port) })
    for (const [one, other] of [
      [client, hub],
      [hub, client],
    ] as const) {
      sockets.add(one)
      one.on('error', () => other.destroy()).on('close', () => other.destroy() && sockets.delete(one))
      one.pipe(other)
    }
  })
  server.listen(0, host)
  await once(server, 'listening')
  const name = host.includes(':') ? `[${host}]` : host
  return {
    url: `https://${name}:${(server.address() as AddressInfo).port}`,
    certificate: certificate!,
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      server.close()
      for (const socket of sockets) socket.destroy()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
