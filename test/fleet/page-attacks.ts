/**
 * What a web page can do to a program on the same computer. Each attack is a text that is run in the page with `target`
 * and `call`, and gives what the page could read; `''` when that is nothing.
 */

/** The hub as the page calls it; `token` and `key` are of the right form. */
export type Target = { url: string; token: string; key: string }

const registration = JSON.stringify({
  machine: { id: 'machine-of-a-page', host: 'page' },
  directory: '/page',
  root: '/page',
  isRepo: false,
  summary: 'a page',
})
const draft = JSON.stringify({ to: 'victim', message: 'from a page', idempotencyKey: 'key-of-a-page' })
const REGISTER = '/trpc/peers.register'
const SEND = '/trpc/messages.send'

/** What stands before every attack. A frame or a socket that says nothing for half a second says nothing. */
const PRELUDE = `
  const authorization = 'Bearer ' + target.token
  const read = async (path, init) => {
    try { return await (await fetch(target.url + path, init)).text() } catch { return '' }
  }
  const after = (listen) => new Promise((resolve) => { listen(resolve); setTimeout(() => resolve(''), 500) })
  const put = (element) => { document.body.append(element); return element }
  const make = (name, attributes) => Object.assign(document.createElement(name), attributes)
  const post = (path, enctype, fields) => after((resolve) => {
    put(make('iframe', { name: 'answer-' + enctype + path }))
    const form = put(make('form', { method: 'post', action: target.url + path, enctype, target: 'answer-' + enctype + path }))
    for (const [name, value] of Object.entries(fields)) form.append(make('input', { name, value }))
    form.submit()
  })
`

const asFetch = (path: string, init: string) => `return read(${JSON.stringify(path)}, ${init})`
const asPost = (path: string, type: string, body: string, more = '') =>
  asFetch(
    path,
    `{ method: 'POST', headers: { 'content-type': '${type}', ${more} }, body: ${JSON.stringify(body)} }`,
  )
const asForm = (enctype: string, fields: Record<string, string>) =>
  `return post('${REGISTER}', '${enctype}', ${JSON.stringify(fields)})`
const asFrame = (path: string) => `
  const frame = put(make('iframe', { src: target.url + '${path}' }))
  await after((resolve) => { frame.onload = resolve })
  try { return frame.contentDocument.body.innerText } catch { return '' }`
const asSocket = (protocols: string) => `
  const socket = new WebSocket(target.url.replace('http', 'ws') + '/trpc', ${protocols})
  return after((resolve) => {
    socket.onopen = () => resolve('open')
    socket.onmessage = ({ data }) => resolve(String(data))
    socket.onclose = () => resolve('')
  })`

const BODIES: Record<string, string> = {
  'a GET of the health': asFetch('/health', '{}'),
  'a GET of the health through tRPC': asFetch('/trpc/hub.health', '{}'),
  'a GET of the metrics': asFetch('/metrics', '{}'),
  'a GET with cookies': asFetch('/trpc/hub.stats', `{ credentials: 'include' }`),
  'a GET with the token': asFetch('/trpc/hub.stats', '{ headers: { authorization } }'),
  'a GET without CORS': asFetch('/trpc/hub.stats', `{ mode: 'no-cors' }`),
  'a POST of text/plain': asPost(REGISTER, 'text/plain', registration),
  'a POST of a form': asPost(REGISTER, 'application/x-www-form-urlencoded', registration),
  'a POST without CORS': asFetch(SEND, `{ method: 'POST', mode: 'no-cors', body: ${JSON.stringify(draft)} }`),
  'a POST of JSON': asPost(REGISTER, 'application/json', registration),
  'a POST of JSON with the token': asPost(REGISTER, 'application/json', registration, 'authorization'),
  'a POST of text/plain with the token': asPost(REGISTER, 'text/plain', registration, 'authorization'),
  'a send with token and key': asPost(
    SEND,
    'application/json',
    draft,
    `authorization, 'x-claude-peers-key': target.key`,
  ),
  'a POST that stops the hub': asPost('/trpc/hub.stop', 'application/json', '{}', 'authorization'),
  'a beacon of text': `return navigator.sendBeacon(target.url + '${REGISTER}', ${JSON.stringify(registration)}) && ''`,
  'a beacon of JSON': `
    const blob = new Blob([${JSON.stringify(registration)}], { type: 'application/json' })
    try { navigator.sendBeacon(target.url + '${REGISTER}', blob) } catch {}
    return ''`,
  'a form of text': asForm('text/plain', { '{"a': `":1}` }),
  'a form with fields': asForm('application/x-www-form-urlencoded', { input: registration }),
  'a form with parts': asForm('multipart/form-data', { input: registration }),
  'a frame of the health': asFrame('/health'),
  'a frame of the stats': asFrame('/trpc/hub.stats'),
  'a script': `
    const before = Object.keys(window).join()
    const script = put(make('script', { src: target.url + '/trpc/hub.stats' }))
    await after((resolve) => { script.onload = script.onerror = resolve })
    return Object.keys(window).join() === before ? '' : 'a global'`,
  'a WebSocket': asSocket('[]'),
  'a WebSocket with the token as protocol': asSocket(`['bearer', target.token]`),
  'a WebSocket with the token in its URL': `
    const socket = new WebSocket(target.url.replace('http', 'ws') + '/trpc?connectionParams=1&token=' + target.token)
    return after((resolve) => { socket.onopen = () => resolve('open'); socket.onclose = () => resolve('') })`,
  'an event source': `
    const source = new EventSource(target.url + '/trpc/messages.watch')
    const said = await after((resolve) => {
      source.onopen = () => resolve('open')
      source.onmessage = ({ data }) => resolve(data)
      source.onerror = () => resolve('')
    })
    source.close()
    return said`,
  'a frame without an origin': `
    const frame = make('iframe', { sandbox: 'allow-scripts', srcdoc: '<script>' +
      'fetch(' + JSON.stringify(target.url + '/trpc/hub.stats') + ', { headers: { authorization: ' +
      JSON.stringify(authorization) + ' } }).then((answer) => answer.text()).then((text) => parent.postMessage(text, "*"))' +
      '</' + 'script>' })
    put(frame)
    return after((resolve) => addEventListener('message', ({ data }) => resolve(data), { once: true }))`,
}

/** Every attack by what it does: an expression that a browser evaluates for one target. */
export const attacks: [string, (target: Target) => string][] = Object.entries(BODIES).map(([name, body]) => [
  name,
  (target) => `(async (target) => { ${PRELUDE} ${body} })(${JSON.stringify(target)})`,
])
